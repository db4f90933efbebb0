# The life of Intune devices, as their certificates see it, and the habits of
# Intune that must not change it.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my @revoked = qw(retirePending retireFailed retireIssued wipePending wipeFailed
                 wipeIssued deletePending unhealthy);
my @fine = qw(managed discovered wipeCanceled retireCanceled);
my @hold = qw(noncompliant conflict error unknown configManager);

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, intune => {
    text => 'compliance on grace=1h; page 5; backoff 300ms;',
}, nginx => { issuer => 'unknown serial; reason retired keyCompromise;' });
my $g = $d->{sim}{graph};
my $n = $d->{nginx};
my $never = '0001-01-01T00:00:00Z';

sub enrolled {
    my ($ago) = @_;

    return POSIX::strftime('%Y-%m-%dT%H:%M:%S.0000000Z', gmtime time - $ago);
}

sub device {
    my ($name, %fields) = @_;

    my $f = $g->add('managedDevice', %fields);

    return { %$f, cert => $d->cert($name, Device => $f->{id}) };
}

sub change {
    my ($device, %fields) = @_;
    $g->change('managedDevice', $device->{id}, %fields);
}

sub asked {
    my ($regex) = @_;

    return scalar grep { $_->{target} =~ $regex } $g->log;
}

sub record { return $t->redis_cli('GET', "pki:{intune}:object:device/$_[0]") }

my %of = map { $_ => device($_) } @revoked, @fine;
my %compliance = map { $_ => device($_) } @hold, 'inGracePeriod', 'compliant';

$d->becomes($of{$_}{cert}, 'good', "$_: managed") for @revoked, @fine;

# management states

change($of{$_}, managementState => $_) for @revoked, @fine;
$d->round('intune', 'devices');

for (@revoked) {
    $d->becomes($of{$_}{cert}, 'revoked', $_);
    is($n->ask($d->{ca}, $of{$_}{cert})->{reason}, 1, 'the reason that is set');
    like(record($of{$_}{id}), qr/^1 2 /, 'Redis: retired');
}

$d->becomes($of{$_}{cert}, 'good', $_) for @fine;

change($of{$_}, managementState => /^retire/ ? 'retireCanceled'
                                 : /^wipe/ ? 'wipeCanceled' : 'managed')
    for @revoked;
$d->becomes($of{$_}{cert}, 'good', "$_: canceled, or over") for @revoked;

my $laptop = $of{managed};

$g->wipe('managedDevice', $laptop->{id});
$d->becomes($laptop->{cert}, 'revoked', 'a wipe');
change($laptop, managementState => 'somethingNew');
$d->becomes($laptop->{cert}, 'revoked', 'a state nobody knows ends nothing');
$d->round('intune', 'devices');
$d->stays($laptop->{cert}, 'revoked', 'not in the next rounds either', 0.3);
change($laptop, managementState => 'wipeCanceled');
$d->becomes($laptop->{cert}, 'good', 'canceled');

change($of{discovered}, managementState => 'somethingNew');
$d->becomes($of{discovered}{cert}, 'tryLater',
            'what was fine and is in an unknown state is not known');
change($of{discovered}, managementState => 'managed');
$d->becomes($of{discovered}{cert}, 'good', 'known again');

# compliance; all of these were enrolled long ago

change($compliance{$_}, complianceState => $_) for keys %compliance;
$d->becomes($compliance{$_}{cert}, 'hold', "compliance: $_") for @hold;
$d->becomes($compliance{$_}{cert}, 'good', "compliance: $_")
    for qw(inGracePeriod compliant);
change($compliance{$_}, complianceState => 'compliant') for @hold;
$d->becomes($compliance{$_}{cert}, 'good', "$_: compliant now") for @hold;

# grace from enrolment: no enrolment, or one that lies ahead, gives none

my $fresh = device('fresh', complianceState => 'noncompliant',
                   enrolledDateTime => enrolled(60));
my $ending = device('ending', complianceState => 'unknown',
                    enrolledDateTime => enrolled(3600 - 3));
my $none = device('never', complianceState => 'noncompliant',
                  enrolledDateTime => $never);
my $ahead = device('ahead', complianceState => 'noncompliant',
                   enrolledDateTime => enrolled(-86400));

$d->becomes($ending->{cert}, 'good', 'in grace for three more seconds');
$d->becomes($none->{cert}, 'hold', 'an enrolment in year 1');
$d->becomes($ahead->{cert}, 'hold', 'an enrolment that lies ahead');
$d->becomes($fresh->{cert}, 'good', 'enrolled a minute ago');
$d->becomes($ending->{cert}, 'hold', 'grace is over');
is($d->status($fresh->{cert}), 'good', 'the other one has time');

# a listing that ends too early says nothing of what it does not show

my $rounds = $d->resource('intune', 'devices')->{rounds};
my $lost = $of{wipeFailed};

$g->option(managed_truncate => 7);
ok(wait_until(10, sub {
    ($d->resource('intune', 'devices')->{state} // '') eq 'failing'
}), 'cut: the round is not complete');
like($d->resource('intune', 'devices')->{error},
     qr/listing ended after 7 of \d+ managed devices/, 'the status says why');
$g->delete('managedDevice', $lost->{id});

my $first = $of{$revoked[0]};

change($first, managementState => 'wipePending');
$d->becomes($first->{cert}, 'revoked', 'what a cut listing shows counts');
$d->stays($lost->{cert}, 'good', 'what it does not show is not deleted', 1);
$d->stays($of{$_}{cert}, 'good', "nor $_", 0) for @fine;
is(asked(qr{managedDevices/$lost->{id}}), 0, 'nor looked up');
like($n->log, qr/"devices": the listing ended after 7 of/, 'the log says why');

my %said;

$said{$_}++ for $n->log =~ /"devices": (the listing ended after .*)/g;
is_deeply([grep { $_ > 1 } values %said], [], 'once');

$g->option(managed_truncate => 0);
$d->becomes($lost->{cert}, 'revoked', 'complete: looked up and deleted');
is($n->ask($d->{ca}, $lost->{cert})->{reason}, 5, 'cessationOfOperation');
like($n->log, qr/"devices": recovered/, 'recovered');
like(record($lost->{id}), qr/^1 1 /, 'Redis: deleted');

my %row = (%$lost, managementState => 'managed');

delete $row{cert};
$g->fault({ path => 'managedDevices[?]', times => 0,
            do => { mangle => [{ set => '/value/-', to => \%row }] } });
$d->round('intune', 'devices');
$d->stays($lost->{cert}, 'revoked', 'listed again: deleted for good', 0.3);
$g->faults_clear;

# the number of devices is wrong

$g->option(overview_count => 1000);
ok(wait_until(10, sub {
    ($d->resource('intune', 'devices')->{error} // '')
        =~ /of 1000 managed devices/
}), 'more were to be expected');
$g->option(overview_count => undef);
ok($d->round('intune', 'devices'), 'as many as there are');

# no filters: what Intune makes of them is not to be relied upon

is(asked(qr/filter/i), 0, 'no $filter');

# two rows of one laptop; ids that are none

my $shared = '11111111-aaaa-4bbb-8ccc-000000000001';
my $old = device('old', azureADDeviceId => $shared,
                 managementState => 'retireIssued');
my $new = device('new', azureADDeviceId => $shared);
my $empty = device('empty', azureADDeviceId => '');
my $zero = device('zero', azureADDeviceId =>
                  '00000000-0000-0000-0000-000000000000');

$d->becomes($old->{cert}, 'revoked', 'the row of the former enrolment');
$d->becomes($_->{cert}, 'good', "a device of its own")
    for $new, $empty, $zero;
like(record($new->{id}), qr{^1 0 \d+ device/$shared$}, 'alias');
like(record($_->{id}), qr/^1 0 \d+ ?$/, 'no alias') for $empty, $zero;

# an error that speaks JSON in JSON

$g->fault({ path => 'managedDevices', times => 8,
            do => { intune_error => 500 } });
ok(wait_until(25, sub { $n->log =~ /"devices": status 500/ }),
   'the log has the status');
unlike($n->log, qr/_version|An internal server error/, 'and not the message');
$d->becomes($new->{cert}, 'good', 'nothing has changed');
$g->faults_clear;
ok($d->round('intune', 'devices'), 'and it goes on');

# tenants whose v1.0 has no managementState: /beta, and when that has none
# either, the deletion is what is seen

$g->log_clear;
change($first, managementState => 'managed');
$d->becomes($first->{cert}, 'good', 'not wiped');
$g->option(management_state => PKI::Sim::false);
change($first, managementState => 'wipePending');
$d->becomes($first->{cert}, 'revoked', 'a wipe that only /beta tells');
ok(asked(qr{^/beta/deviceManagement/managedDevices\?}), '/beta was asked');

$g->option(denied => ['^/beta/deviceManagement/managedDevices']);
$g->log_clear;
ok($d->round('intune', 'devices'), 'rounds go on without /beta');
$d->stays($first->{cert}, 'revoked', 'what was known stays', 0.3);
$d->stays($new->{cert}, 'good', 'so does what is fine', 0.3);
change($new, managementState => 'wipePending');
$g->delete('managedDevice', $first->{id});
$g->delete('managedDevice', $empty->{id});
$d->becomes($empty->{cert}, 'revoked', 'a deletion is seen all the same');
is($d->status($new->{cert}), 'good', 'a wipe is not');
is(asked(qr{^/beta/}), 1, '/beta was asked once more, and not again');

# "wipe off": the device is fine until it is deleted

my $calm = PKI::Directory->new($t, intune => {
    sim => $g, name => 'calm', text => 'wipe off;',
});
my $late = device('late', managementState => 'wipePending',
                  complianceState => 'noncompliant');

$g->option(management_state => PKI::Sim::true, denied => []);
$calm->becomes($late->{cert}, 'good', 'wipe off: pending');
change($late, managementState => 'wipeIssued');
$calm->round('calm', 'devices');
$calm->stays($late->{cert}, 'good', 'wipe off: issued', 0.3);
$g->delete('managedDevice', $late->{id});
$calm->becomes($late->{cert}, 'revoked', 'wipe off: deleted');

$t->done;
