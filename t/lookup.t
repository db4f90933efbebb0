# Objects that no round has told of yet are looked up live, by whoever polls,
# before anybody is told "later": rounds are an hour apart here.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $text = 'interval 1h; confirm 1s; lookup_timeout 700ms; backoff 500ms;'
           . 'request_timeout 2s;';
my $single = '^/v1.0/devices\(deviceId=';
my $nowhere = '9e5a0f6c-0000-4000-8000-%012d';

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => { text => $text },
                            nginx => { workers => 1 });
my $g = $d->{sim}{graph};
my $n = $d->{nginx};

sub enrol { $g->add('device', @_) }

sub cert_of {
    my ($device) = @_;
    return $d->cert('device', Device => ref $device ? $device->{deviceId}
                                                    : $device);
}


sub lookups {
    my ($id) = @_;
    return grep { !defined $id || index($_->{target}, $id) >= 0 }
           $g->log($single);
}

# sends a question and does not wait for the answer

sub ask {
    my ($cert, %o) = @_;

    my $host = $o{nginx} || $n;
    my $der = ocsp_request([ certid($d->{ca}, serial_of($cert)) ]);
    my $socket = http_connect($host->{port});

    http_send($socket, "POST /ocsp HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
              . "Content-Type: application/ocsp-request\r\nContent-Length: "
              . length($der) . "\r\n\r\n$der");

    return $socket;
}

sub answer {
    my ($socket) = @_;

    my $r = ocsp_read(http_read($socket, 'POST')->{body});

    close $socket;
    return $r->{cert} // $r->{status};
}

sub timed {
    my ($cert, %o) = @_;

    my $start = time;
    my $status = $d->status($cert, %o);
    return ($status, time - $start);
}

# a full listing, and what has changed meanwhile

sub rounds {
    my ($of, $name) = @_;

    ok(wait_until(10, sub {
        (($of->resource($name, $_) || {})->{rounds} // 0) >= 2 or return 0
            for qw(devices users);
        return 1;
    }), 'the rounds of this hour');
}

sub sync {
    $n->http('POST', '/api/directories/entra/sync',
             headers => { Authorization => "Bearer $d->{token}" });
}

ok($n->ready, 'ready');
my $old = enrol();
$d->becomes(cert_of($old), 'good', 'a device');
rounds($d, 'entra');
$g->log_clear;

# enrolled a second ago

my ($status, $took) = timed(cert_of(enrol()));

is($status, 'good', 'a new device is good at once');
ok($took < 0.7, sprintf 'which took %.3f s', $took);
is(scalar lookups(), 1, 'by one lookup');
is(scalar(grep { $_->{target} =~ /delta/ } $g->log), 0, 'and no round');

($status) = timed(cert_of(enrol(accountEnabled => PKI::Sim::false)));
is($status, 'hold', 'a new one that is disabled is not');

# one that does not exist

my $nobody = cert_of(my $id = sprintf $nowhere, 1);

is($d->status($nobody), 'tryLater', 'one that does not exist is not good');
$d->stays($nobody, 'tryLater', 'nor on hold before a round', 2.5);

# many at once

my $cert = cert_of(my $many = enrol());
my @sockets = map { ask($cert) } 1 .. 40;
my %answers = map { $_ => 1 } map { answer($_) } @sockets;

is_deeply([keys %answers], ['good'], 'forty requests at once');
is(scalar lookups($many->{deviceId}), 1, 'are one lookup');

# a 404 of somebody else

$g->fault({ path => $single, times => 0,
            do => { status => 404, html => 'no' } });
my $html = enrol();
$cert = cert_of($html);
is($d->status($cert), 'tryLater', 'an HTML 404 is no device');
sleep 1;
is($t->redis_cli('get', "pki:{entra}:object:device/$html->{deviceId}"), '',
   'and says nothing about it');
$g->faults_clear;
$d->becomes($cert, 'good', 'the directory answers again');

# the directory hangs

$g->fault({ path => $single, times => 0, do => { hang => PKI::Sim::true } });
my @new = map { cert_of(enrol()) } 1 .. 3;
my @known = map { cert_of($_) } $old, $many;
my $start = time;

@sockets = map { ask($_) } @new;
sleep 0.1;

for (@known) {
    ($status, $took) = timed($_);
    is($status, 'good', 'others have their answer');
    ok($took < 0.3, sprintf 'meanwhile, in %.3f s', $took);
}

is(answer($_), 'tryLater', 'one that cannot be looked up') for @sockets;
$took = time - $start;
ok($took > 0.5 && $took < 1.5, sprintf 'is told so in time: %.3f s', $took);
is($n->http('GET', '/probe')->{status}, 200, 'all is well otherwise');
$g->faults_clear;
$d->becomes($_, 'good', 'the directory is back') for @new;

sync();

# another host asks, whoever polls looks up

my $other = $t->nginx(workers => 1, issuer => 'unknown serial;',
                      directories => $d->{directories});

ok($other->ready, 'another host');
($status, $took) = timed(cert_of(my $far = enrol()), nginx => $other);
is($status, 'good', 'a new device, asked for there');
ok($took < 0.7, sprintf 'which took %.3f s', $took);
is(scalar lookups($far->{deviceId}), 1, 'by one lookup');
$d->becomes($nobody, 'hold', 'one that still does not exist', 15);
is($d->status($nobody, nginx => $other), 'hold', 'as both know');

my ($both, $device) = map { (cert_of($_), $_) } enrol();
@sockets = map { ask($both, nginx => $_) } ($n, $other) x 5;
is(answer($_), 'good', 'both at once') for @sockets;
ok(lookups($device->{deviceId}) <= 2, 'that is no more than two lookups');
is(scalar(() = $g->log('/oauth2/')), 0, 'and no login of its own');

# so many a second, no more

$other->stop;
$n->stop;

my $slow = PKI::Directory->new($t, entra => {
    name => 'slow', sim => $g, text => "$text lookups 2;",
}, nginx => { workers => 1 });

$n = $slow->{nginx};
ok($n->ready, 'ready');
$slow->becomes(cert_of($old), 'good', 'two lookups a second');
@new = map { cert_of(enrol()) } 1 .. 12;
sleep 1;
$g->log_clear;
$start = time;
@sockets = map { ask($_) } @new;
$status = grep { answer($_) eq 'good' } @sockets;
ok($status >= 2 && $status <= 5, "some are good in time: $status");
sleep 0.1 while time < $start + 2;
my $count = lookups();
ok($count >= 4 && $count <= 7, "in two seconds $count lookups");

# without

my $never = PKI::Directory->new($t, entra => {
    name => 'never', sim => $g, text => "$text lookup_timeout 0;"
                                        =~ s/lookup_timeout 700ms;//r,
}, nginx => { workers => 1 });

$n = $never->{nginx};
ok($n->ready, 'ready');
$never->becomes(cert_of($old), 'good', 'lookup_timeout 0: told by a round');
rounds($never, 'never');
$g->log_clear;
$device = enrol();
($status, $took) = timed(cert_of($device), nginx => $n);
is($status, 'tryLater', 'lookup_timeout 0: what no round told is not known');
ok($took < 0.3, sprintf 'at once: %.3f s', $took);
sleep 0.5;
is(scalar lookups($device->{deviceId}), 0, 'and not looked up');

$t->done;
