# A directory that is slow, or silent: there is an end to each request, and
# nginx waits for none of them.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $list = '^/v1\.0/devices\?(?!.*skiptoken)';

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'resources devices; full 0; page 2; request_timeout 3s;'
            . 'connect_timeout 1s; stall_timeout 1s;',
});
my $n = $d->{nginx};
my $g = $d->{sim}{graph};
my @device = map { $g->add('device') } 1 .. 5;
my @cert = map { $d->cert('device', Device => $_->{deviceId}) } @device;

sub enabled { return (accountEnabled => JSON::PP::true) }
sub disabled { return (accountEnabled => JSON::PP::false) }

# faults that are over, and what the log of requests has

sub faults {
    my ($what, @faults) = @_;

    $g->log_clear;
    $g->fault(@faults);
    ok(wait_until(15, sub { !@{ $g->faults } }), "$what: told");
}

sub requests { return scalar $g->log(@_) }

# it lives: a change comes through

my $flips = 0;

sub lives {
    my ($what) = @_;

    my $to = $flips++ % 2 ? 'good' : 'hold';

    $g->change('device', $device[4]{id}, $to eq 'good' ? enabled : disabled);
    $d->becomes($cert[4], $to, "$what: goes on");
    is($d->status($_), 'good', "$what: and no other changes")
        for @cert[0 .. 3];
}

$d->becomes($_, 'good', 'enrolled') for @cert;

# C10: slow, silent

for (['a trickle', { slow => 20 }], ['a trickle of a head',
      { slow_head => 20 }], ['silence', { hang => JSON::PP::true }],
     ['a late answer', { delay => 20 }])
{
    my ($what, $do) = @$_;

    faults("C10: $what", { path => $list, do => $do });
    ok(wait_until(10, sub { requests($list) >= 2 }), "C10: $what: given up");
    my ($one, $two) = map { $_->{time} } $g->log($list);
    cmp_ok($two - $one, '<=', 5, "C10: $what: in time");
    is($d->status($cert[0]), 'good', "C10: $what: nothing has changed");
}

lives('C10');

# C5: for longer than anybody waits; the limit is five minutes, which only a
# new process, that does not know of it, has not to keep

$g->fault({ path => $list, do => { status => 429, headers => {
    'Retry-After' => '99999999' }}});
ok(wait_until(5, sub { !@{ $g->faults } }), 'C5: 99999999');
sleep 0.1;
$g->log_clear;
is($n->http('POST', '/api/directories/entra/sync', headers => {
       Authorization => "Bearer $d->{token}" })->{status} / 100 % 10, 2,
   'C5: a round is asked for');
sleep 1;
is(requests('devices'), 0, 'C5: not now, whoever asks');
$d->stays($cert[0], 'good', 'C5: nobody minds', 0.2);
ok($n->reload, 'C5: reload');
lives('C5');

# C10: while a directory hangs, nginx does not

$g->fault({ path => 'devices', times => 0, do => { hang => JSON::PP::true } });
$g->log_clear;
ok(wait_until(5, sub { requests('devices') }), 'C10: hangs');

my @old = $n->workers;
my $start = time;

$n->signal('HUP');
ok(wait_until(5, sub { !grep { kill 0, $_ } @old }), 'C10: reload');
cmp_ok(time - $start, '<', 1, 'C10: at once');
$g->log_clear;
ok(wait_until(20, sub { requests('devices') }), 'C10: the new ones hang');
$start = time;
$n->stop;
cmp_ok(time - $start, '<', 1, 'C10: quit at once');
unlike($n->log, qr/S3cr/, 'no secret in the log');

$t->done;
