# Two certificates never have one serial number: a proxy before Redis takes
# each number in the moment in which nginx asks for it, once, or always.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();

use lib 't/lib';
use PKI::Test;
use PKI::CSR;

my $t = PKI::Test->new;
my $dir = $t->{dir};
my $ca = $t->ca('ca');
my $token = $t->token('enrolment', 'enroll');

$t->redis;

# As many numbers as "$dir/take" says are taken before nginx's question is
# passed on; they are written down.

sub pump {
    my ($client, $real) = @_;

    my $server = IO::Socket::UNIX->new(Peer => $real) or return;
    my $select = IO::Select->new($client, $server);

    while (my @ready = $select->can_read) {
        for my $from (@ready) {
            sysread $from, my $octets, 65536 or return;

            if ($from == $client
                && $octets =~ /pki:\{demo\}:serial:([0-9A-F]+)/)
            {
                take($1, $real);
            }

            my $to = $from == $client ? $server : $client;

            syswrite $to, $octets;
        }
    }
}

sub take {
    my ($serial, $real) = @_;

    my $left = slurp("$dir/take");

    return unless $left > 0;

    spew("$dir/take", $left - 1);
    run_ok('redis-cli', '-s', $real, 'SET',
           "pki:{demo}:serial:$serial", 'somebody else');

    open my $taken, '>>', "$dir/taken" or die "$dir/taken: $!\n";
    print $taken "$serial\n";
}

my $real = $t->{redis}{redis}{socket};
my $proxy = "$dir/proxy.sock";
my $listen = IO::Socket::UNIX->new(Local => $proxy, Listen => 16)
    or die "$proxy: $!\n";
chmod 0666, $proxy;

spew("$dir/take", 0);
spew("$dir/taken", '');

my $pid = fork // die "fork: $!\n";

if (!$pid) {
    $SIG{CHLD} = 'IGNORE';

    while (my $client = $listen->accept) {
        my $child = fork // POSIX::_exit(1);

        if (!$child) {
            $SIG{CHLD} = 'DEFAULT';
            eval { pump($client, $real) };
            POSIX::_exit(0);
        }

        close $client;
    }

    POSIX::_exit(0);
}

END { kill 'TERM', $pid if $pid }

$t->{redis}{redis}{socket} = $proxy;

my $n = $t->nginx(http => 'pki_profile any { issuer demo; }',
                  locations => <<"END");
        location /ocsp { pki_ocsp; }
        location /api/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll any;
        }
        location = /status { pki_status; }
        location = /probe { pki_status probe; }
END

$t->{redis}{redis}{socket} = $real;

ok($n->ready, 'ready');

my $csr = PKI::CSR->new($t, subject => [[CN => 'one']])->der;

sub enroll {
    return $n->http('POST', '/api/csr', body => $csr,
                    headers => { Authorization => "Bearer $token" });
}

sub serial {
    my ($r) = @_;

    spew("$dir/issued.der", $r->{body});

    my $text = run_ok('openssl', 'x509', '-inform', 'DER', '-in',
                      "$dir/issued.der", '-noout', '-serial');

    return $text =~ /serial=([0-9A-F]+)/ ? $1 : '';
}

my $r = enroll();

is($r->{status}, 200, 'through the proxy');
is(slurp("$dir/taken"), '', 'nothing was taken');

spew("$dir/take", 1);
$r = enroll();

my ($taken) = slurp("$dir/taken") =~ /^([0-9A-F]+)$/m;

ok(length($taken // '') == 40, 'a number is taken');
is($r->{status}, 200, 'another is drawn');
isnt(serial($r), $taken, 'which is another one');
is($n->ask($ca, $taken)->{cert}, 'unknown', 'the taken one is unknown');
is($n->ask($ca, serial($r))->{cert}, 'good', 'the other is good');

# always: it gives up, and nothing is issued

my $issued = () = $t->redis_cli('KEYS', 'pki:{demo}:cert:*') =~ /cert:/g;

spew("$dir/take", 1000);
$r = enroll();

cmp_ok($r->{status}, '>=', 500, 'no number is free') or diag($r->{body});
like($r->{body}, qr/"errorMessage"/, 'it is told');
is((() = $t->redis_cli('KEYS', 'pki:{demo}:cert:*') =~ /cert:/g), $issued,
   'nothing was issued');
cmp_ok(slurp("$dir/take"), '>', 900, 'it does not try for ever');

spew("$dir/take", 0);
is(enroll()->{status}, 200, 'and works again');

$t->done;
