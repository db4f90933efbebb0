# What a deletion is worth when the object comes back ("restore"), and that
# replicas which tell the past do not make states flap (C19, "settle").

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $g = PKI::Sim->new('graph', dir => $t->{dir});
my $j = PKI::Sim->new('jamf', dir => $t->{dir});

# what it was over a time: each change

sub course {
    my ($d, $cert, $time) = @_;

    my @seen;
    my $end = time + $time;

    while (time < $end) {
        my $is = $d->status($cert);

        push @seen, $is if !@seen || $seen[-1] ne $is;
        sleep 0.02;
    }

    return @seen;
}

# one life in two directories: one forgives

my $on = PKI::Directory->new($t,
    entra => { name => 'entra_on', sim => $g, text => 'restore on;' },
    jamf  => { name => 'jamf_on', sim => $j, text => 'restore on;' });
my $off = PKI::Directory->new($t,
    entra => { name => 'entra_off', sim => $g },
    jamf  => { name => 'jamf_off', sim => $j });

my $device = $g->add('device');
my $user = $g->add('user');
my $erased = $g->add('device');

$j->add('computer', id => 4);

my %cert = (
    device   => $on->cert('device', Device => $device->{deviceId}),
    user     => $on->cert('user', User => $user->{id}),
    computer => $on->cert('computer', JamfComputer => 4),
);
my $erased_cert = $on->cert('erased', Device => $erased->{deviceId});
my %object = (device => [$g, 'device', $device->{id}],
              user => [$g, 'user', $user->{id}],
              computer => [$j, 'computer', 4]);

for my $d ($on, $off) {
    $d->becomes($_, 'good', 'at first') for values %cert, $erased_cert;
}

for (sort keys %cert) {
    my ($sim, $kind, $id) = @{ $object{$_} };

    $sim->delete($kind, $id);
    $on->becomes($cert{$_}, 'hold', "restore on: $_ deleted");
    $off->becomes($cert{$_}, 'revoked', "restore off: $_ deleted");
    $sim->restore($kind, $id);
    $on->becomes($cert{$_}, 'good', "restore on: $_ is back");
    is($off->status($cert{$_}), 'revoked', "restore off: $_ deleted once");
}

$on->stays($cert{device}, 'good', 'restore on', 0.5);
$off->stays($cert{device}, 'revoked', 'restore off', 0.5);

# deleted for good

$g->delete('device', $erased->{id}, hard => 1);
$on->becomes($erased_cert, 'revoked', 'restore on: deleted for good');
$off->becomes($erased_cert, 'revoked', 'restore off: deleted for good');

# every other answer is of the past

my $lag = 1;

$_->{nginx}->stop for $on, $off;

my $d = PKI::Directory->new($t, entra => {
    name => 'replicas', sim => $g,
    text => 'settle 3s; confirm 3s; restore on;',
});
my @devices = map { $g->add('device') } 1 .. 3;
my @certs = map { $d->cert('device', Device => $_->{deviceId}) } @devices;

$d->becomes($_, 'good', 'at first') for @certs;
$g->option(replicas => $lag, delta_replay => 2);

$g->change('device', $devices[0]{id}, accountEnabled => PKI::Sim::false);
$d->becomes($certs[0], 'hold', 'disabled');
my @seen = course($d, $certs[0], $lag + 2);
is("@seen", 'hold', 'as it stays, whatever a replica tells');

$g->change('device', $devices[0]{id}, accountEnabled => PKI::Sim::true);
@seen = course($d, $certs[0], $lag + 6);
is($seen[-1], 'good', 'enabled');
ok(@seen <= 4, "no flapping: @seen");

# one that has just become known to some

my $new = $g->add('device');

@seen = course($d, $d->cert('new', Device => $new->{deviceId}), $lag + 4);
is($seen[-1], 'good', 'a new device');
is(scalar(grep { !/^(good|tryLater)$/ } @seen), 0, 'was never revoked')
    or diag("@seen");

$g->delete('device', $devices[1]{id});
$d->becomes($certs[1], 'hold', 'deleted');
@seen = course($d, $certs[1], $lag + 2);
is("@seen", 'hold', 'as it stays');
is($d->status($certs[2]), 'good', 'another was good all the time');

$t->done;
