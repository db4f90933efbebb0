# What no round has ever shown and no lookup finds: on hold, revoked, or not
# known, as "absent" says; and what it becomes when it is there after all.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $g = PKI::Sim->new('graph', dir => $t->{dir});
my $known = $g->add('device');
my $n = 0;

# absent, restore; what it is, and what it becomes

my @policies = (
    ['',         'off', 'hold',     'good'],
    ['hold',     'off', 'hold',     'good'],
    ['revoked',  'off', 'revoked',  'revoked'],
    ['revoked',  'on',  'hold',     'good'],
    ['later',    'off', 'tryLater', 'good'],
);

my @cases = map {
    my ($absent, $restore, $is, $then) = @$_;
    my $d = PKI::Directory->new($t, entra => {
        name => 'entra' . ++$n, sim => $g,
        text => ($absent && "absent $absent;") . "restore $restore;"
                . 'confirm 1s;',
    }, nginx => { workers => 1 });
    my $id = sprintf '9e5a0f6c-0000-4000-8000-%012d', $n;

    { d => $d, id => $id, is => $is, then => $then,
      cert => $d->cert('nobody', Device => $id),
      what => 'absent ' . ($absent || 'by default') . ", restore $restore" }
} @policies;

for (@cases) {
    $_->{d}->becomes($_->{d}->cert('known', Device => $known->{deviceId}),
                     'good', "$_->{what}: a device");
    is($_->{d}->status($_->{cert}), 'tryLater',
       "$_->{what}: not found for the first time");
}

$_->{d}->becomes($_->{cert}, $_->{is}, "$_->{what}: for the second time")
    for @cases;

for (@cases) {
    $_->{d}->stays($_->{cert}, $_->{is}, $_->{what}, 0.5);
    $g->add('device', deviceId => $_->{id});
}

$_->{d}->becomes($_->{cert}, $_->{then}, "$_->{what}: there after all")
    for @cases;

# what was known and is gone is another matter

$g->delete('device', $known->{id});

for (@cases) {
    my $status = $_->{what} =~ /restore on/ ? 'hold' : 'revoked';

    $_->{d}->becomes($_->{d}->cert('known', Device => $known->{deviceId}),
                     $status, "$_->{what}: deleted");
}

# "devices any": what one directory has deleted may be new in another, which
# is asked before it is told that it is nowhere

$_->{d}{nginx}->stop for @cases;

my $guid = '9e5a0f6c-0000-4000-8000-00000000ffff';
my $two = PKI::Directory->new($t,
    entra  => { name => 'slow', sim => $g, text => 'interval 1h;' },
    intune => { name => 'quick', sim => $g, text => 'confirm 1s;' });
my $back = $two->cert('back', Device => $guid);

sub quick {
    my ($record, $what) = @_;

    ok(wait_until(10, sub {
        $t->redis_cli('GET', "pki:{quick}:object:device/$guid") =~ $record
    }), "two directories: $what in the one");
}

$g->add('managedDevice', id => $guid);
quick(qr/^1 0 /, 'there');
ok(wait_until(10, sub { $two->resource('slow', 'devices')->{rounds} }),
   'two directories: the other has listed all');
$g->delete('managedDevice', $guid);
quick(qr/^1 1 /, 'deleted');
$g->add('device', deviceId => $guid);
is($two->status($back), 'good', 'two directories: new in the other');

$t->done;
