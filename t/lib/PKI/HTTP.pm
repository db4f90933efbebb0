package PKI::HTTP;

# HTTP over a raw socket, so that a test says exactly what travels.

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

our @EXPORT = qw(http http_connect http_send http_read http_raw);

my $timeout = 10;


sub http_connect {
    my ($port) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                 Proto => 'tcp', Timeout => $timeout)
        || die "127.0.0.1:$port: $@\n";
}

# one request on a connection of its own, or on $o{socket}

sub http {
    my ($port, $method, $uri, %o) = @_;

    my $body = $o{body};
    my $socket = $o{socket} || http_connect($port);
    my %headers = (Host => 'localhost', %{ $o{headers} || {} });

    $headers{'Content-Length'} //= length $body
        if defined $body && !$headers{'Transfer-Encoding'};
    $headers{Connection} = 'close' unless $o{socket} || $headers{Connection};

    my $head = "$method $uri HTTP/" . ($o{version} || '1.1') . "\r\n"
               . join('', map { defined $headers{$_}
                                ? "$_: $headers{$_}\r\n" : () }
                          sort keys %headers)
               . "\r\n";

    http_send($socket, $head . ($body // ''));

    return http_read($socket, $method);
}

# sends octets as they are and reads one answer

sub http_raw {
    my ($port, $octets, %o) = @_;

    my $socket = http_connect($port);

    http_send($socket, $octets);
    shutdown $socket, 1 if $o{shutdown};

    return http_read($socket, $o{method} || 'GET');
}

sub http_send {
    my ($socket, $octets) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $sent = 0;
    my $end = time + $timeout;

    while ($sent < length $octets) {
        my $n = syswrite $socket, $octets, length($octets) - $sent, $sent;

        if (!defined $n) {
            next if $!{EINTR} && time < $end;
            last;       # closed: an answer may still be there
        }

        $sent += $n;
    }

    return $sent;
}

# { status, headers (lower case; doubled ones joined), body }; status 0 when
# the connection ended or nothing came in time

sub http_read {
    my ($socket, $method) = @_;

    my $buf = ${*$socket}{pki_rest} // '';
    my %r = (status => 0, headers => {}, body => '', time => 0);
    my $end = time + $timeout;

    my $more = sub {
        my $left = $end - time;

        return 0 if $left <= 0;
        return 0 unless IO::Select->new($socket)->can_read($left);

        return sysread($socket, $buf, 65536, length $buf) ? 1 : 0;
    };

    while ($buf !~ /\r\n\r\n/) {
        if (!$more->()) {
            $r{rest} = $buf;
            return \%r;
        }
    }

    (my $head, $buf) = split /\r\n\r\n/, $buf, 2;
    my @lines = split /\r\n/, $head;

    $r{line} = shift @lines;
    $r{status} = $r{line} =~ m{^HTTP/1\.[01] (\d{3})} ? $1 : 0;

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;

        $name = lc $name;
        $r{count}{$name}++;
        $r{headers}{$name} = defined $r{headers}{$name}
                             ? "$r{headers}{$name}, $value" : $value;
    }

    if ($r{status} == 100) {
        ${*$socket}{pki_rest} = $buf;
        my $final = http_read($socket, $method);

        $final->{continued} = 1;
        return $final;
    }

    my $len = $r{headers}{'content-length'};

    if ($method eq 'HEAD' || $r{status} == 304 || $r{status} == 204) {
        $len = 0;

    } elsif (($r{headers}{'transfer-encoding'} || '') eq 'chunked') {
        1 while $buf !~ /(?:^|\r\n)0\r\n(?:.*\r\n)?\r\n/s && $more->();

        while ($buf =~ s/^([0-9a-fA-F]+)\r\n//) {
            my $n = hex $1;

            $r{body} .= substr $buf, 0, $n, '';
            $buf =~ s/^\r\n//;
            last unless $n;
        }

        $len = 0;
    }

    if (defined $len) {
        1 while length $buf < $len && $more->();
        $r{body} .= substr $buf, 0, $len, '' if $len;

    } else {
        1 while $more->();
        $r{body} = $buf;
        $buf = '';
    }

    ${*$socket}{pki_rest} = $buf;

    return \%r;
}


1;
