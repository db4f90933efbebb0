# The life of an Entra device and of an Entra user, as their certificates
# see it: a real poller against a simulated Graph.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'compliance on; risk high;',
});
my $g = $d->{sim}{graph};
my $device = $g->add('device', accountEnabled => PKI::Sim::true,
                     isCompliant => PKI::Sim::true);
my $user = $g->add('user', accountEnabled => PKI::Sim::true);
my %cert = (
    device => $d->cert('device', Device => $device->{deviceId}),
    user   => $d->cert('user', User => $user->{id}),
);

$d->becomes($cert{device}, 'good', 'a device');
$d->becomes($cert{user}, 'good', 'a user');

$g->change('device', $device->{id}, accountEnabled => PKI::Sim::false);
$d->becomes($cert{device}, 'hold', 'disabled');
$g->change('device', $device->{id}, accountEnabled => PKI::Sim::true);
$d->becomes($cert{device}, 'good', 'enabled');

$g->change('device', $device->{id}, isCompliant => PKI::Sim::false);
$d->becomes($cert{device}, 'hold', 'not compliant');
$g->change('device', $device->{id}, isCompliant => PKI::Sim::true);
$d->becomes($cert{device}, 'good', 'compliant');

$g->delete('device', $device->{id});
$d->becomes($cert{device}, 'revoked', 'deleted');
$g->restore('device', $device->{id});
$d->round('entra', 'devices');
$d->stays($cert{device}, 'revoked', 'restored, but deleted once');

$t->done;
