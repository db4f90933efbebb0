# Many at once: no serial number twice, each certificate on record, OCSP not
# held up by signatures, a burst turned away; clients and a Redis that go away
# in between.

use strict;
use warnings;

use lib 't/lib';

use PKI::Test;
use PKI::CSR;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $dir = $t->{dir};
my $token = $t->token('client', 'enroll');
my $manage = $t->token('manager', 'manage');
my $large = PKI::CSR->new($t, key => 'rsa4096', subject => [[CN => 'x']])->key;

# a CA whose signatures take their time

run_ok('openssl', 'req', '-new', '-x509', '-key', $large, '-subj', '/CN=slow',
       '-days', 3650, '-addext', 'basicConstraints=critical,CA:TRUE', '-out',
       "$dir/slow.pem");

$t->redis;

my $text = <<'END';
    pki_profile any { issuer demo; }
    pki_profile slow { issuer slow; }
    pki_profile again { issuer slow; renew Static; }
    pki_profile bound { issuer slow; bind device; }
    pki_directory hr push { }
END
my $locations = <<"END";
        pki_api_tokens $dir/tokens;
        location /ocsp { pki_ocsp; }
        location /api/ { pki_api; pki_enroll any; }
        location /slow/ { pki_api; pki_enroll slow; }
        location /bound/ { pki_api; pki_enroll bound; }
        location /renew/ {
            pki_est; pki_enroll again;
            pki_client_certificate \$http_x_client_cert;
        }
        location = /status { pki_status; }
        location = /probe { pki_status probe; }
END
my %issuers = (
    demo => "certificate $ca; key $dir/ca.key;",
    slow => "certificate $dir/slow.pem; key $large; directory hr;",
);

sub server {
    my (%o) = @_;

    my $n = $t->nginx(issuers => \%issuers, locations => $locations,
                      events => 'worker_connections 1024;', %o,
                      http => $text . ($o{http} // ''));

    ok($n->ready, 'ready');
    return $n;
}

my $csr = PKI::CSR->new($t, subject => [[CN => 'x']])->der;

# sends a request and does not wait for the reply

sub post {
    my ($n, $uri, %o) = @_;

    my $socket = http_connect($n->{port});
    my $body = $o{body} // $csr;

    http_send($socket, "POST $uri HTTP/1.1\r\nHost: x\r\n"
              . "Authorization: Bearer $token\r\nConnection: close\r\n"
              . ($o{header} // '')
              . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    return $socket;
}

sub recorded {
    my ($issuer) = @_;

    my @keys = split /\n/, $t->redis_cli('keys', "pki:{$issuer}:cert:*");
    return scalar @keys;
}

my $count = 0;

sub file_of {
    my ($r) = @_;

    my $file = spew("$dir/issued-" . ++$count . '.der', $r->{body});
    run_ok('openssl', 'x509', '-inform', 'DER', '-in', $file, '-out',
           "$file.pem");
    return "$file.pem";
}


# 64 at once, four workers

my $n = server(workers => 4, http => 'pki_signatures 100;');
my @sockets = map { post($n, '/api/csr') } 1 .. 64;
my @replies = map { http_read($_, 'POST') } @sockets;

is(scalar(grep { $_->{status} == 200 } @replies), 64, '64 certificates')
    or diag(join ' ', map { $_->{status} } @replies);

my @files = map { file_of($_) } grep { $_->{status} == 200 } @replies;
my %serials = map { serial_of($_) => 1 } @files;

is(scalar keys %serials, 64, 'no serial number twice');
is(scalar(grep { $t->redis_cli('exists', "pki:{demo}:cert:$_") == 1 }
          keys %serials), 64, 'each on record');
is(recorded('demo'), 64, 'and nothing else');
is(() = (run_ok('openssl', 'verify', '-CAfile', $ca, @files) =~ /: OK/g), 64,
   'openssl verifies each');
is(scalar(grep { ($n->ask($ca, $_)->{cert} // '') eq 'good' } @files), 64,
   'OCSP: good');
is(() = ($t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+')
         =~ /^issue$/mg), 64, 'each in the audit stream once');


# a reload in the middle: whoever was let in gets a certificate

@sockets = map { post($n, '/slow/csr') } 1 .. 40;
$n->signal('HUP');
@replies = map { http_read($_, 'POST') } @sockets;
is(scalar(grep { $_->{status} == 200 } @replies), 40, 'reload: all served');
ok($n->ready, 'ready');

$n->stop;


# OCSP while a hundred wait for signatures of a large key

my $one = server(http => 'pki_signatures 200;');

is(http_read(post($one, '/slow/csr'), 'POST')->{status}, 200, 'a first one');

my $start = time;

@sockets = map { post($one, '/slow/csr') } 1 .. 100;

my ($worst, $asked) = (0, 0);
my $waiting = IO::Select->new($sockets[-1]);

until ($waiting->can_read(0)) {
    my $at = time;
    my $r = $one->ask($ca, $files[0]);

    $asked++;
    $worst = time - $at if time - $at > $worst;
    die "OCSP: $r->{status}\n" unless ($r->{cert} // '') eq 'good';
}

my $all = time - $start;

@replies = map { http_read($_, 'POST') } @sockets;
is(scalar(grep { $_->{status} == 200 } @replies), 100, 'all are signed');
ok($asked >= 5, "$asked OCSP answers in between");
ok($worst < $all / 2, sprintf 'OCSP waits %d ms at most, of %d', $worst * 1e3,
   $all * 1e3);

# who leaves takes nobody's turn and gets no certificate

my $before = recorded('slow');
my $issued = $one->status->{enrolment}{issued};

for (1 .. 3) {
    @sockets = map { post($one, '/slow/csr') } 1 .. 50;
    undef $_ for @sockets;
}

is(http_read(post($one, '/slow/csr'), 'POST')->{status}, 200,
   'one that stays');
ok(wait_until(10, sub { recorded('slow') >= $before + 1 }), 'is on record');
ok($one->status->{enrolment}{issued} < $issued + 100,
   'most of those who left got none');

# who waits for the renewal of a certificate that is revoked meanwhile, or for
# the certificate of a device that is disabled

my $old = file_of(http_read(post($one, '/slow/csr'), 'POST'));
my @renewal = ('/renew/simplereenroll', header => 'X-Client-Cert: '
               . slurp($old) =~ s/\n(?=.)/ /gr =~ s/\n//r . "\r\n");
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my @bound = ('/bound/csr', body => PKI::CSR->new($t, subject =>
                                                 [[CN => $guid]])->der);

sub device {
    my ($state) = @_;

    is($one->http('PUT', "/api/directory/hr/objects/device/$guid",
                  body => qq({"enabled":$state}),
                  headers => { Authorization => "Bearer $manage" })->{status},
       200, "a device: enabled $state");
}

device('true');
is(http_read(post($one, @renewal), 'POST')->{status}, 200, 'renewed');
is(http_read(post($one, @bound), 'POST')->{status}, 200, 'for the device');

@sockets = map { post($one, '/slow/csr') } 1 .. 100;

my @late = map { post($one, @$_) } \@renewal, \@bound;

sleep 0.3;
is($one->revoke($manage, $old, 1)->{status}, 200, 'revoked');
device('false');

for (qr/revoked/, qr/disabled/) {
    my $r = http_read(shift @late, 'POST');

    is($r->{status}, 403, 'while it waits: not signed');
    like($r->{body}, $_, 'says why');
}

is(scalar(grep { http_read($_, 'POST')->{status} == 200 } @sockets), 100,
   'the others have theirs');

$one->stop;


# a burst above the limit

my $few = server(http => 'pki_signatures 3;');

@sockets = map { post($few, '/slow/csr') } 1 .. 60;
@replies = map { http_read($_, 'POST') } @sockets;

my @served = grep { $_->{status} == 200 } @replies;
my @busy = grep { $_->{status} == 429 } @replies;

is(@served + @busy, 60, 'served or turned away');
ok(@served >= 3, scalar(@served) . ' are served');
ok(@busy > 0, scalar(@busy) . ' are turned away');
is(scalar(grep { $_->{headers}{'retry-after'} } @busy), scalar @busy,
   'Retry-After');
like($busy[0]{body}, qr/"errorMessage":"[^"]+"/, 'says why') if @busy;
is($few->status->{enrolment}{busy}, scalar @busy, 'counted');
is($few->status->{enrolment}{issued}, scalar @served, 'both');


# a Redis that stands still: no acknowledgement, no certificate

$before = recorded('demo');
$t->redis_signal('STOP');

my $r = http_read(post($few, '/api/csr'), 'POST');

is($r->{status}, 503, 'Redis stands still: 503');
ok($r->{headers}{'retry-after'}, 'Retry-After');
@sockets = map { post($few, '/api/csr') } 1 .. 10;
sleep 0.2;
undef $_ for @sockets;
$t->redis_signal('CONT');
ok($few->ready, 'it goes on');
sleep 0.3;
is(recorded('demo'), $before, 'nothing of that is on record');
ok(wait_until(10, sub {
    http_read(post($few, '/api/csr'), 'POST')->{status} == 200
}), 'issued again');
ok($few->status->{enrolment}{failed} > 0, 'failures are counted');
$few->stop;


# a Redis, then a worker, killed in the middle: who has a certificate finds it
# on record

$t->allow(qr/worker process \d+ exited on signal 9/);

for my $victim (qw(Redis worker)) {
    my $host = server(workers => 2, http => 'pki_signatures 100;');

    @sockets = map { post($host, '/slow/csr') } 1 .. 40;
    @replies = (http_read($sockets[0], 'POST'));

    if ($victim eq 'Redis') {
        $t->redis_stop('redis', 'KILL');
        $t->redis;

    } else {
        kill 'KILL', ($host->workers)[0];
    }

    push @replies, map { http_read($_, 'POST') } @sockets[1 .. $#sockets];
    @served = grep { $_->{status} == 200 } @replies;
    ok(@served > 0, "$victim killed: " . @served . ' of 40 have one');
    ok($host->ready, 'ready');

    # a worker whose link is not there yet says tryLater
    my @lost = grep {
        my $file = file_of($_);

        !wait_until(10, sub {
            ($host->ask("$dir/slow.pem", $file)->{cert} // '') eq 'good'
        })
    } @served;

    is(scalar @lost, 0, 'OCSP: each good');
    is(http_read(post($host, '/slow/csr'), 'POST')->{status}, 200,
       'issued again');
    $host->stop;
}

$t->done;
