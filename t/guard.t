# The guard: what would revoke too much at once is held back, with an alarm,
# until an operator or enough rounds confirm it, or the directory comes to its
# senses.  (C23, and section 11.3 of the contract.)

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $list = '^/v1\.0/devices\?(?!.*skiptoken)';
my $n_devices = 20;

my $t = PKI::Test->new;
my $read = $t->token('reader', 'read');
my ($d, $n, $g, $name, @device, @cert);

sub enabled { return (accountEnabled => JSON::PP::true) }
sub disabled { return (accountEnabled => JSON::PP::false) }

# a directory of twenty devices, all good

sub begin {
    my ($what, %o) = @_;

    if ($d) {
        $n->stop;
        $g->stop;
    }

    $name = "d" . @{ $t->{nginx} };
    $d = PKI::Directory->new($t, entra => { name => $name,
        text => "resources devices; $o{text}" });
    ($n, $g) = ($d->{nginx}, $d->{sim}{graph});
    @device = map { $g->add('device') } 1 .. $n_devices;
    @cert = map { $d->cert('device', Device => $_->{deviceId}) } @device;
    $d->becomes($_, 'good', "$what: enrolled") for @cert[0, -1];
    settled($what);
}

sub settled {
    ok(wait_until(10, sub {
           my $r = $d->resource($name, 'devices');
           $r && ($r->{state} // '') eq 'ok'
       }), "$_[0]: a round is complete");
}

sub count {
    my ($status) = @_;
    return scalar grep { $d->status($_) eq $status } @cert;
}

sub counts {
    my ($number, $status, $what) = @_;

    ok(wait_until(8, sub { count($status) == $number }),
       "$what: $number $status") or diag(count($status));
}

sub lines { return scalar(() = $n->log =~ /$_[0]/g) }

sub held {
    my ($what) = @_;

    ok(wait_until(8, sub {
           my $r = $d->resource($name, 'devices');
           $r && ($r->{state} // '') eq 'held back'
       }), "$what: held back")
        or diag(explain($d->directories->{$name}));
}

sub all_good {
    my ($what, $time) = @_;

    my $end = time + ($time // 0.5);
    my $good = $n_devices;

    $good = count('good') while time < $end && $good == $n_devices;
    is($good, $n_devices, "$what: nobody is revoked");
}

sub release {
    my ($token) = @_;

    return $n->http('POST', "/api/directories/$name/release", headers => {
        Authorization => 'Bearer ' . ($token // $d->{token}) })->{status};
}

# 30 % disabled in one round

begin('disabled', text => 'guard 20% min=2;');
like(release(), qr/^20/, 'a release with nothing to release');
ok(wait_until(5, sub {
       $t->redis_cli('HGET', "pki:{$name}:sync", 'release') eq ''
   }), 'which ends with the next round');
sleep 1.1;
$g->change('device', $device[$_]{id}, disabled) for 0, 1;
counts(2, 'hold', 'two may');
$g->change('device', $device[$_]{id}, enabled) for 0, 1;
counts($n_devices, 'good', 'and back');

my $link = $t->redis_cli('HGET', "pki:{$name}:sync", 'devices.link');

$g->mass('device', every => 3, set => { disabled });
held('disabled');
all_good('disabled', 1);
is(lines('\[error\].*held back: \d of 20 objects would be revoked, 4 may'), 1,
   'an alarm of one line');
like($n->http('GET', '/metrics')->{body},
     qr/pki_directory_held_back\{directory="$name",resource="devices"\} 1/,
     'a metric');
is($d->resource($name, 'devices')->{held} // '', '7 of 20, 4 may',
   'the REST call tells it');

# an object that is better may pass, and news of others wait with the rest

is(release($read), 403, 'a reader may not release');
all_good('disabled');
like(release(), qr/^20/, 'an operator may');
counts(7, 'hold', 'released');
is(count('good'), 13, 'and no more');
settled('released');
is(lines('\[notice\].*"devices": no longer held back'), 1, 'a line');
isnt($t->redis_cli('HGET', "pki:{$name}:sync", 'devices.link'), $link,
     'the link goes on');

# the release was for that one only

$g->mass('device', every => 2, set => { disabled });
held('the next');
$d->round($name, 'devices');
is(count('hold'), 7, 'the next is held back again');

# and when it was a mistake, it is over by itself

$g->mass('device', every => 1, set => { enabled });
counts($n_devices, 'good', 'a mistake');
settled('a mistake');
is(count('hold'), 0, 'nobody was revoked for it');

# 30 % deleted

$g->mass('device', every => 3, delete => 'hard');
held('deleted');
all_good('deleted');
like(release(), qr/^20/, 'an operator releases');
counts(7, 'revoked', 'deleted');

# as many rounds as it takes

begin('rounds', text => 'guard 20% min=2 rounds=5; interval 500ms;');
$g->mass('device', every => 3, set => { disabled });
held('rounds');

my $start = time;

is(count('hold'), 0, 'rounds: not at once');
counts(7, 'hold', 'rounds: confirmed');
cmp_ok(time - $start, '>=', 1, 'rounds: by some rounds');
is(lines('held back: '), 1, 'rounds: one line');
settled('rounds');

# a listing that lies, and one that is right but tells nothing of it

begin('missing', text => 'guard 20% min=2; full 0;');
$g->log_clear;
$g->fault({ path => $list, times => 0, do => { mangle => [
    { drop => '/value', from => 3, count => 7 } ]}});
held('missing');
all_good('missing', 1);
is(scalar $g->log('^/v1\.0/devices\('), 0, 'missing: no lookup for each');
$g->faults_clear;
settled('missing');
all_good('missing: there again');
is(lines('no longer held back'), 1, 'missing: over by itself');

$g->option(omit_removed => JSON::PP::true);
$g->mass('device', every => 3, delete => 'hard');
held('gone');
all_good('gone');
like(release(), qr/^20/, 'gone: an operator releases');
counts(7, 'revoked', 'gone: looked up, and gone');
is(count('good'), 13, 'gone: the others are there');
ok(scalar $g->log('^/v1\.0/devices\('), 'gone: by lookups');

# a listing without any of them

$g->fault({ path => $list, times => 0, do => { json => { value => [] } } });
held('empty');
is(count('good'), 13, 'empty: nobody is revoked');
$g->faults_clear;
settled('empty');
is(count('good'), 13, 'empty: over');

# guard off

begin('off', text => 'guard off;');
$g->mass('device', every => 1, set => { disabled });
counts($n_devices, 'hold', 'off: all at once');
is(lines('held back'), 0, 'off: no alarm');

unlike($n->log, qr/S3cr/, 'no secret in the log');

$t->done;
