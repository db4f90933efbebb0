# The life of Entra devices and Entra users, as their certificates see it: a
# real poller against a simulated Graph.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'compliance on grace=1h; risk high;',
}, nginx => { issuer => 'unknown serial; reason deleted superseded;' });
my $g = $d->{sim}{graph};
my $n = $d->{nginx};
my ($true, $false) = (PKI::Sim::true, PKI::Sim::false);

sub enrolled {
    my ($ago) = @_;

    return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time - $ago);
}

sub device {
    my ($name, %fields) = @_;

    my $f = $g->add('device', %fields);

    return { %$f, cert => $d->cert($name, Device => $f->{deviceId}) };
}

sub user {
    my ($name, %fields) = @_;

    my $f = $g->add('user', %fields);

    return { %$f, cert => $d->cert($name, User => $f->{id}) };
}

sub change {
    my ($object, %fields) = @_;
    $g->change($object->{deviceId} ? 'device' : 'user', $object->{id}, %fields);
}

# what the REST API says of an object

sub states {
    my ($id) = @_;

    my $r = $n->http('GET', "/api/directory/entra/objects/$id", headers => {
        Authorization => "Bearer $d->{token}" });

    return join ' ', @{ JSON::PP::decode_json($r->{body})->{state} };
}

# a device, from its enrolment to its end

my $device = device('device');
my $id = "device/$device->{deviceId}";

$d->becomes($device->{cert}, 'good', 'a device');
is(states($id), '', 'no state');

change($device, accountEnabled => $false);
$d->becomes($device->{cert}, 'hold', 'disabled');
is(states($id), 'disabled', 'the state');
cmp_ok(abs($n->ask($d->{ca}, $device->{cert})->{revoked_at} - time), '<', 60,
       'since when');
change($device, accountEnabled => $true);
$d->becomes($device->{cert}, 'good', 'enabled');

change($device, isCompliant => $false);
$d->becomes($device->{cert}, 'hold', 'not compliant');
is(states($id), 'noncompliant', 'the state');
change($device, accountEnabled => $false);
ok(wait_until(10, sub { states($id) eq 'disabled noncompliant' }),
   'disabled as well');
change($device, isCompliant => $true);
ok(wait_until(10, sub { states($id) eq 'disabled' }), 'compliant');
is($d->status($device->{cert}), 'hold', 'on hold as long as there is a cause');
change($device, accountEnabled => $true);
$d->becomes($device->{cert}, 'good', 'no cause is left');
change($device, isCompliant => undef);
$d->becomes($device->{cert}, 'hold', 'not evaluated');
change($device, isCompliant => $true);
$d->becomes($device->{cert}, 'good', 'compliant');

# a hold by REST is a cause of its own

is($n->revoke($d->{token}, $device->{cert}, 6)->{status}, 200,
   'a hold by REST');
change($device, accountEnabled => $false);
ok(wait_until(10, sub { states($id) eq 'disabled' }), 'disabled');
change($device, accountEnabled => $true);
ok(wait_until(10, sub { states($id) eq '' }), 'enabled');
is($d->status($device->{cert}), 'hold', 'the hold by REST is left');
is($n->revoke($d->{token}, $device->{cert}, 8)->{status}, 200, 'released');
$d->becomes($device->{cert}, 'good', 'released');

# grace from registration

my $fresh = device('fresh', isCompliant => $false,
                   registrationDateTime => enrolled(60));
my $null = device('null', isCompliant => undef,
                  registrationDateTime => enrolled(60));
my $ending = device('ending', isCompliant => $false,
                    registrationDateTime => enrolled(3600 - 2));
my $late = device('late', isCompliant => $false,
                  registrationDateTime => enrolled(7200));
my $unknown = device('unknown', isCompliant => $false);

$d->becomes($ending->{cert}, 'good', 'in grace for two more seconds');
$d->becomes($_->{cert}, 'good', 'registered a minute ago') for $fresh, $null;
$d->becomes($_->{cert}, 'hold', 'registered long ago, or nobody knows when')
    for $late, $unknown;
$d->becomes($ending->{cert}, 'hold', 'grace is over, and no change tells');
is($d->status($fresh->{cert}), 'good', 'the other has time');

# deleted: for good, whatever happens then

my $gone = device('gone', trustType => 'ServerAd');

$d->becomes($gone->{cert}, 'good', 'a hybrid device');
$g->delete('device', $device->{id});
$g->delete('device', $gone->{id});

for ($device, $gone) {
    $d->becomes($_->{cert}, 'revoked', 'deleted');
    is($n->ask($d->{ca}, $_->{cert})->{reason}, 4, 'the reason: superseded');
}

$g->restore('device', $device->{id});
change($device, isCompliant => $true);
$d->round('entra', 'devices');
$d->stays($device->{cert}, 'revoked', 'restored, but deleted once', 0.3);
is(states($id), 'deleted', 'the state');

# a user

my $user = user('user');

$d->becomes($user->{cert}, 'good', 'a user');
change($user, accountEnabled => $false);
$d->becomes($user->{cert}, 'hold', 'sign-in is blocked');
change($user, accountEnabled => $true);
$d->becomes($user->{cert}, 'good', 'sign-in is allowed');

$g->add('riskyUser', id => $user->{id});
$d->becomes($user->{cert}, 'hold', 'at risk');
is(states("user/$user->{id}"), 'risky', 'the state');
change($user, accountEnabled => $false);
ok(wait_until(10, sub { states("user/$user->{id}") eq 'disabled risky' }),
   'blocked as well');
change($user, accountEnabled => $true);
ok(wait_until(10, sub { states("user/$user->{id}") eq 'risky' }),
   'allowed: a delta leaves the risk alone');
$g->change('riskyUser', $user->{id}, riskState => 'remediated');
$d->becomes($user->{cert}, 'good', 'remediated');

$g->delete('user', $user->{id});
$d->becomes($user->{cert}, 'revoked', 'deleted');
is($n->ask($d->{ca}, $user->{cert})->{reason}, 4, 'the reason: superseded');
$g->restore('user', $user->{id});
$d->round('entra', 'users');
$d->stays($user->{cert}, 'revoked', 'restored, but deleted once', 0.3);

my $disabled = user('disabled', accountEnabled => $false);

$d->becomes($disabled->{cert}, 'hold', 'disabled from the first day');
$n->stop;

# where a deletion can be undone

my $r = PKI::Directory->new($t, entra => {
    sim => $g, name => 'second', text => 'compliance on; restore on;',
});
my %kind = (device => device('second'), user => user('second'));

$r->becomes($kind{$_}{cert}, 'good', "a $_") for sort keys %kind;
$g->delete($_, $kind{$_}{id}) for sort keys %kind;
$r->becomes($kind{$_}{cert}, 'hold', "$_: deleted, can be restored")
    for sort keys %kind;
$g->restore($_, $kind{$_}{id}) for sort keys %kind;
$r->becomes($kind{user}{cert}, 'good', 'user: restored');
$r->round('second', 'devices');
is($r->status($kind{device}{cert}), 'hold',
   'device: restored, not compliant before it checks in');
change($kind{device}, isCompliant => $true);
$r->becomes($kind{device}{cert}, 'good', 'device: checked in');
$g->delete($_, $kind{$_}{id}) for sort keys %kind;
$r->becomes($kind{$_}{cert}, 'hold', "$_: deleted again") for sort keys %kind;
$g->delete($_, $kind{$_}{id}, hard => 1) for sort keys %kind;
$r->becomes($kind{$_}{cert}, 'revoked', "$_: deleted from the bin")
    for sort keys %kind;
is($r->{nginx}->ask($d->{ca}, $kind{$_}{cert})->{reason}, 5,
   'cessationOfOperation, if nobody says otherwise') for sort keys %kind;

$t->done;
