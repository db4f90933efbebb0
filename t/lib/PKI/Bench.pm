package PKI::Bench;

# What benches share: a line of a table, what is taken of many numbers, a
# process' time and memory, and a client that writes down how long each
# answer took.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use POSIX qw(:sys_wait_h ceil);
use Time::HiRes qw(time sleep);

use PKI::OCSP;
use PKI::Test ();

our @EXPORT = qw(row p95 p99 median cpu memory prober probed);


# "name<TAB>value<TAB>unit<TAB>limit": the limit is empty, or the bar with its
# sign in front

sub row {
    my ($name, $value, $unit, $limit) = @_;

    printf "%s\t%.*f\t%s\t%s\n", $name, $value < 10 ? 3 : 1, $value, $unit,
           $limit // '';
}

sub p95 { return _quantile(0.95, @_) }
sub p99 { return _quantile(0.99, @_) }

sub _quantile {
    my ($share, @values) = @_;

    @values = sort { $a <=> $b } @values;
    return $values[ceil($share * @values) - 1];
}

sub median { my @s = sort { $a <=> $b } @_; return $s[$#s / 2] }


# seconds of CPU

sub cpu {
    my ($pid, $tid) = @_;

    my ($ns) = PKI::Test::slurp("/proc/$pid/task/$tid/schedstat") =~ /^(\d+)/;
    return $ns / 1e9;
}

sub memory {
    my ($pid, $what) = @_;

    my ($kb) = PKI::Test::slurp("/proc/$pid/status") =~ /^$what:\s+(\d+)/m;
    return $kb / 1024;
}


# a client that asks for one certificate after the other, two milliseconds
# apart, and writes down how long each answer took

sub prober {
    my ($n, $ca, $certs, $file) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    my @requests = map {
        my $der = ocsp_request([ certid($ca, -e $_ ? (cert_ids($_))[2]
                                                : $_) ]);
        "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: "
            . "application/ocsp-request\r\nContent-Length: " . length($der)
            . "\r\n\r\n$der"
    } @$certs;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $n->{port}) or die $@;
    my @took;

    for (my $i = 0; !$stop; $i++) {
        my $start = time;

        print $socket $requests[$i % @requests];
        answer($socket) or last;
        push @took, time - $start;
        sleep 0.002;
    }

    PKI::Test::spew($file, join "\n", @took);
    POSIX::_exit(@took ? 0 : 1);
}

sub answer {
    my ($socket) = @_;

    my $text = '';

    while ($text !~ /\r\n\r\n/) {
        sysread $socket, $text, 65536, length $text or return 0;
    }

    return 0 unless $text =~ m{^HTTP/1.1 200}
                    && $text =~ /Content-Length: (\d+)/i;

    my $end = $1 + index($text, "\r\n\r\n") + 4;

    while (length $text < $end) {
        sysread $socket, $text, 65536, length $text or return 0;
    }

    return 1;
}

sub probed {
    my ($file, $pid) = @_;

    kill 'TERM', $pid;
    waitpid $pid, 0;
    die "an OCSP client failed\n" if $?;

    return split /\n/, PKI::Test::slurp($file);
}


1;
