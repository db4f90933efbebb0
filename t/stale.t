# How long facts count when no round is completed, for each resource by
# itself; of what nobody has told ever, nothing is good.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $g = PKI::Sim->new('graph', dir => $t->{dir});
my $j = PKI::Sim->new('jamf', dir => $t->{dir});

sub dead {
    my ($sim, $path) = @_;
    $sim->fault({ path => $path, times => 0, do => { status => 500 } });
}

my $d = PKI::Directory->new($t,
    entra => { sim => $g, text => 'max_age 3s; backoff 300ms;' },
    jamf  => { sim => $j, text => 'max_age 3s last; backoff 300ms;' });

my $device = $g->add('device');
my $off = $g->add('device', accountEnabled => PKI::Sim::false);
my $gone = $g->add('device');
my $user = $g->add('user');

$j->add('computer', id => 4);
$j->add('jamfUser', id => 17);

my %cert = (
    device   => $d->cert('device', Device => $device->{deviceId}),
    off      => $d->cert('off', Device => $off->{deviceId}),
    gone     => $d->cert('gone', Device => $gone->{deviceId}),
    user     => $d->cert('user', User => $user->{id}),
    computer => $d->cert('computer', JamfComputer => 4),
    both     => $d->cert('both', JamfUserWithComputer => 4, 17),
);

$d->becomes($cert{$_}, 'good', $_) for qw(device user gone computer both);
$d->becomes($cert{off}, 'hold', 'disabled');
$g->delete('device', $gone->{id});
$d->becomes($cert{gone}, 'revoked', 'deleted');

# later: what is not refreshed does not count

dead($g, '/devices');
$d->becomes($cert{device}, 'tryLater', 'devices are not refreshed');
$d->becomes($cert{off}, 'tryLater', 'a hold of then is not known now');
is($d->status($cert{gone}), 'revoked', 'a deletion stays true');
is($d->status($cert{user}), 'good', 'users are');
$g->faults_clear;
$d->becomes($cert{device}, 'good', 'refreshed again');
$d->becomes($cert{off}, 'hold', 'and known again');

# last: what was known goes on counting, what was not is not good

dead($j, '/api/v\d/computers|/api/v2');
$d->stays($cert{computer}, 'good', 'last: computer', 4);
is($d->status($cert{both}), 'good', 'last: the user on it');
my $new = $d->cert('new', JamfComputer => 5);
$j->add('computer', id => 5);
is($d->status($new), 'tryLater', 'last: a computer that is not known');
$j->faults_clear;
$d->becomes($new, 'good', 'until it is');

# a list that was never read: never good from nothing

dead($g, '/riskyUsers');
my $r = PKI::Directory->new($t, entra => {
    name => 'risk', sim => $g, text => 'risk high; max_age 4s; backoff 300ms;',
});
my $risky = $r->cert('risky', User => $user->{id});
my $laptop = $r->cert('laptop', Device => $device->{deviceId});

$r->becomes($laptop, 'good', 'devices do not need the list of risky users');
ok(wait_until(10, sub { ($r->resource('risk', 'risk') || {})->{error} }),
   'which fails');
ok($r->resource('risk', 'users')->{rounds}, 'the users were listed');
is($r->status($risky), 'tryLater', 'but never whether they are at risk');
$g->faults_clear;
$r->becomes($risky, 'good', 'now they were');
dead($g, '/riskyUsers');
$r->becomes($risky, 'tryLater', 'the risk is not refreshed');
is($r->status($laptop), 'good', 'devices are');
$g->faults_clear;
$r->becomes($risky, 'good', 'refreshed again');

# "devices any": where one of two directories has a device, the silence of
# that one makes no revocation of what the other does not have

$d->{nginx}->stop;
$r->{nginx}->stop;

my $two = PKI::Directory->new($t,
    entra  => { sim => $g, name => 'azure',
                text => 'max_age 3s; backoff 300ms;' },
    intune => { sim => $g, name => 'mdm',
                text => 'max_age off; confirm 1s;' });
my $one = $two->cert('one', Device => $device->{deviceId});

$g->add('managedDevice', id => $device->{deviceId});
ok(wait_until(10, sub {
    $t->redis_cli('GET', "pki:{mdm}:object:device/$device->{deviceId}")
        =~ /^1 0 /
}), 'any: an iPad, with one id in both');
$two->becomes($one, 'good', 'any: in both');
$g->delete('managedDevice', $device->{deviceId});
ok(wait_until(10, sub {
    $t->redis_cli('GET', "pki:{mdm}:object:device/$device->{deviceId}")
        =~ /^1 1 /
}), 'any: deleted in the other');
is($two->status($one), 'good', 'any: good all the same');
dead($g, '/devices');
$two->becomes($one, 'tryLater', 'any: the one is not refreshed');
$two->stays($one, 'tryLater', 'any: which is no revocation', 1);
$g->faults_clear;
$two->becomes($one, 'good', 'any: refreshed again');
$g->delete('device', $device->{id});
$two->becomes($one, 'revoked', 'any: deleted in both');
$two->{nginx}->stop;

# pushed facts

my $p = PKI::Directory->new($t, push => { name => 'hr',
                                          text => 'max_age 2s;' });
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $pushed = $p->cert('pushed', User => $guid);
my $put = sub {
    $p->{nginx}->http('PUT', "/api/directory/hr/objects/user/$guid",
                      headers => { Authorization => "Bearer $p->{token}",
                                   'Content-Type' => 'application/json' },
                      body => '{"enabled":true}')->{status};
};

is($p->status($pushed), 'tryLater', 'nobody has pushed');
is($put->(), 200, 'pushed');
$p->becomes($pushed, 'good', 'pushed');
$p->becomes($pushed, 'tryLater', 'nobody has pushed for some time');
is($put->(), 200, 'pushed again');
$p->becomes($pushed, 'good', 'pushed again, nothing new');

$t->done;
