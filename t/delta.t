# Entra's delta queries: pages, links that grow old, removals that are not
# told, and items that tell less than all.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'compliance on; page 100; backoff 300ms;', start => 0,
}, nginx => { start => 0 });
my $g = $d->{sim}{graph};
my $n = $d->{nginx};
my ($true, $false) = (PKI::Sim::true, PKI::Sim::false);
my $week = 8 * 86400;       # a delta link is good for seven days

sub guid { return sprintf '%08x-0000-4000-8000-%012x', @_ }

sub asked {
    my ($regex) = @_;
    return grep { $_->{target} =~ $regex } $g->log;
}

# n-th device, with a certificate

my %cert;

sub cert {
    my ($i) = @_;
    return $cert{$i} ||= $d->cert("device$i", Device => guid(0xd, $i));
}

sub change { my ($i, %f) = @_; $g->change('device', guid(0xe, $i), %f) }

sub becomes { my ($i, @args) = @_; $d->becomes(cert($i), @args) }

# the link is too old; the next round lists everything

sub expire {
    my (%options) = @_;

    $g->option(%options) if %options;
    $g->log_clear;
    $g->clock(advance => $week);
}

$g->add_all(map { { kind => 'device', id => guid(0xe, $_),
                    deviceId => guid(0xd, $_) } } 1 .. 250);

# a change between the pages of the first listing comes with the delta

$g->fault({ path => '^/v1.0/devices\?.*skiptoken', do => { before => [
    ['PATCH', '/sim/objects/device/' . guid(0xe, 1), { accountEnabled => $false }],
] } });
$g->option(throttle_percentage => '1.8');
$n->start;

becomes(1, 'hold', 'changed after its page was told');
becomes($_, 'good', "device $_") for 100, 101, 250;

my @log = map { $_->{target} } asked(qr{^/v1.0/devices});

is($log[0], '/v1.0/devices/delta?$deltaToken=latest'
            . '&$select=id,deviceId,accountEnabled,isCompliant',
   'first a mark');
is($log[1], '/v1.0/devices?$select=id,deviceId,accountEnabled,isCompliant'
            . '&$top=100', 'then the listing');
like($_, qr{^/v1.0/devices\?.*\$skiptoken=}, 'another page') for @log[2, 3];
like($log[4], qr{^/v1.0/devices/delta\?.*\$deltatoken=}, 'then the changes');
is(scalar asked(qr{[&?]\$(?:skip|filter)=}), 0, 'no $skip, no $filter');
is(scalar asked(qr{/users(?:/delta)?\?(?!.*(?:select=id,userPrincipalName,
                                           accountEnabled|token=RFN))}x), 0,
   'what is needed of users is asked for by name');
ok($d->round('entra', 'users'), 'users');
like($d->resource('entra', 'devices')->{known}, qr/^250$/, '250 are known');

# changes in pages, some of which are empty

$g->option(delta_page => 7, delta_empty_pages => 2);
change($_, accountEnabled => $false) for 2 .. 25;
becomes($_, 'hold', "changes in pages: $_") for 2, 9, 16, 25;
becomes(26, 'good', 'another');
$g->option(delta_shuffle => $true);
change($_, accountEnabled => $true) for 1 .. 25;
becomes($_, 'good', "in any order: $_") for 1, 2, 9, 16, 25;
ok(asked(qr{/devices/delta\?.*skiptoken}), 'there were pages');
$g->option(delta_page => 200, delta_empty_pages => 0,
           delta_shuffle => $false);

# minimal items: what is not told is as it was

change(3, accountEnabled => $false);
becomes(3, 'hold', 'disabled');
$g->option(delta_minimal => $true);
change(3, isCompliant => $false);
ok(wait_until(10, sub {
    $t->redis_cli('GET', 'pki:{entra}:object:device/' . guid(0xd, 3))
        =~ /^1 24 /
}), 'not compliant as well');
change(3, isCompliant => $true);
ok(wait_until(10, sub {
    $t->redis_cli('GET', 'pki:{entra}:object:device/' . guid(0xd, 3))
        =~ /^1 8 /
}), 'compliant, still disabled');
change(3, accountEnabled => $true);
becomes(3, 'good', 'enabled');
change(3, isCompliant => undef);
becomes(3, 'hold', 'null: not evaluated');
change(3, isCompliant => $true);
becomes(3, 'good', 'compliant');
$g->option(delta_minimal => $false);

# what nobody tells is neither good nor bad: it is asked for by id

my $path = '^/v1.0/devices/delta\?.*deltatoken';
my $one = "^/v1.0/devices\\(deviceId='" . guid(0xd, 4);

$g->fault({ path => $path, times => 0, do => {
    mangle => [{ delete => '/value/*/accountEnabled' }] } });
change(4, accountEnabled => $false);
becomes(4, 'hold', 'not told by the delta, but by the lookup');
$g->fault({ path => $one, times => 0, do => {
    mangle => [{ delete => '/accountEnabled' }] } });
change(4, accountEnabled => $true);
ok(wait_until(10, sub { asked(qr/\Q${\guid(0xd, 4)}\E/) > 1 }), 'looked up');
$d->stays(cert(4), 'hold', 'told by nobody: as it was', 0.3);
$g->add('device', id => guid(0xe, 300), deviceId => guid(0xd, 300));
$g->faults_clear;
$g->fault({ path => $path, times => 0, do => {
    mangle => [{ set => '/value/*/accountEnabled', to => 'yes' }] } },
    { path => "deviceId='" . guid(0xd, 300), times => 0, do => {
    mangle => [{ set => '/accountEnabled', to => 'yes' }] } });
$g->add('device', id => guid(0xe, 301), deviceId => guid(0xd, 301));
becomes(301, 'tryLater', 'what is no boolean is not known');
$g->faults_clear;
change(4, displayName => 'x', accountEnabled => $true);
becomes(4, 'good', 'told again');

# a removal names the object's id only; one that is not known does no harm

$g->delete('device', guid(0xe, 5));
becomes(5, 'revoked', 'removed: changed');
$g->delete('device', guid(0xe, 6), hard => 1);
becomes(6, 'revoked', 'removed: deleted');

my @removed = map { { id => guid(0xe, $_), '@removed' => {
                          reason => 'deleted' } } } 7, 999999;

$g->option(omit_removed => $true);
$g->delete('device', guid(0xe, 7));
$g->fault({ path => 'deltaToken=latest', do => { mangle =>
            [map { { set => '/value/-', to => $_ } } @removed] } });
expire();
becomes(7, 'revoked', 'a removal in a round from the start');
becomes(8, 'good', 'the others');
$g->option(omit_removed => $false);

# links grow old in several ways; each time everything is listed anew

my $i = 10;

for (['form A', { expiry_form => 'A' }],
     ['form A, nested', { expiry_form => 'A', expiry_code => 'nested' }],
     ['form A, another case', { expiry_code => 'SYNCSTATENOTFOUND' }],
     ['form A, resync', { expiry_code => 'resyncRequired' }],
     ['form B, 410 with a Location', { expiry_form => 'B',
                                       expiry_code => undef }],
     ['form C, 410 without', { expiry_form => 'C' }],
     ['form D, 400 of another code', { expiry_form => 'D' }])
{
    my ($what, $options) = @$_;

    $i++;
    expire(%$options);
    change($i, accountEnabled => $false);
    becomes($i, 'hold', $what);
    is(scalar asked(qr{^/v1.0/devices/delta\?\$deltaToken=latest}), 1,
       "$what: a new mark");
    is(scalar asked(qr{delta\?\$deltatoken=$}), 0,
       "$what: a Location is not followed");
}

is(scalar asked(qr{^/v1.0/devices/delta\?(?!.*latest)}) >= 2, 1,
   'an unknown code counts the second time');

# pages of a listing grow old: from the start, once

$g->option(skip_token_age => 60, expiry_form => 'A');
$path = '^/v1.0/devices\?.*skiptoken';

my $old = { path => $path, do => { before => [
    ['POST', '/sim/clock', { advance => 100 }]] } };

$g->fault({ %$old, skip => 1 });
expire();
change(20, accountEnabled => $false);
becomes(20, 'hold', 'a page link is too old');
ok(wait_until(10, sub { asked(qr{^/v1.0/devices\?.*top=100$}) == 2 }),
   'listed from the start');

$g->fault({ %$old, times => 0 });
expire();
change(21, accountEnabled => $false);
ok(wait_until(15, sub {
    ($d->resource('entra', 'devices')->{error} // '') =~ /did not come to/
}), 'it never comes to its end');
$d->stays(cert($_), 'good', 'and nothing follows from that', 0)
    for 22, 100, 200, 250;
$g->faults_clear;
becomes(21, 'hold', 'recovered');
ok($d->round('entra', 'devices'), 'by itself');
$g->option(skip_token_age => 0);

# a deletion that is not told: the next complete listing finds it

my $daily = PKI::Directory->new($t, entra => {
    sim => $g, name => 'daily', text => 'full 2s; page 100;',
});

$daily->becomes(cert(30), 'good', 'a device');
$g->option(omit_removed => $true);
$g->delete('device', guid(0xe, 30));
$daily->becomes(cert(30), 'revoked', 'found by the next complete listing');
$d->stays(cert(30), 'good', 'the delta does not know', 0.3);
expire();
becomes(30, 'revoked', 'until everything is listed here too');
$g->option(omit_removed => $false);

# what fails is named by its request-id

my $id = '00000000-aaaa-4bbb-8ccc-000000000000';

$g->fault({ path => '^/v1.0/users/delta', do => {
    status => 403, headers => { 'request-id' => $id } } });
ok(wait_until(10, sub {
    ($n->log . $daily->{nginx}->log)
        =~ /status 403 \(Authorization_RequestDenied\).*$id/
}), 'the log has the request-id');
unlike($_->log, qr/RFNwdAoA|eyJ/, 'no link and no token in the log')
    for $n, $daily->{nginx};

$t->done;
