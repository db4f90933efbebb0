# A directory that fails: busy, without permission, slow, silent, gone.  Nobody
# is revoked for that, nothing spins, the others go on, and so does it when it
# can.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;
use POSIX qw(strftime);

my $list = '^/v1\.0/devices\?(?!.*skiptoken)';
my $next = '^/v1\.0/devices\?.*skiptoken';

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'resources devices; full 0; page 2; request_timeout 3s;',
    new => { state => 1 },
}, jamf => { text => 'unmanaged on;' });
my $n = $d->{nginx};
my $g = $d->{sim}{graph};
my @device = map { $g->add('device') } 1 .. 5;
my $computer = $d->{sim}{jamf}->add('computer');
my $mac = $d->cert('mac', JamfComputer => $computer->{id});
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

my $before;

sub requests { return scalar $g->log(@_) }

sub said {
    my ($what, $line, $before) = @_;

    ok(wait_until(10, sub {
           substr($n->log, $before // 0) =~ /pki directory.*$line/
       }), "$what: has its line")
        or diag(substr $n->log, $before // 0);
}

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

# C5: as long as it asks for; the workers do not wait

# when the fault came, and when it was asked again

sub asked {
    my ($what) = @_;

    my @log;

    ok(wait_until(10, sub {
           @log = $g->log($list);
           shift @log while @log && !$log[0]{fault};
           @log > 1;
       }), "$what: goes on");

    return map { $_->{time} } @log;
}

my $date = sub { strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + shift)) };

for (['1', 1, 2.5], ['1.128', 1.128, 2.5], [undef, 0.25, 2],
     ['0', 0.25, 2], ['soon', 0.25, 2], ['-5', 0.25, 2], ['1', 1, 2.5, 503])
{
    my ($value, $least, $most, $status) = @$_;
    my $what = 'C5: ' . ($value // 'absent');

    $g->log_clear;
    $g->fault({ path => $list, do => { status => $status || 429,
                headers => { 'Retry-After' => $value }}});
    ok(wait_until(10, sub { grep { $_->{fault} } $g->log($list) }), $what);

    my $start = time;

    $d->status($cert[0]);
    cmp_ok(time - $start, '<', 0.25, "$what: a worker does not wait");
    my ($refused, $again) = asked($what);

    cmp_ok($again - $refused, '>=', $least - 0.01, "$what: waits");
    cmp_ok($again - $refused, '<=', $most, "$what: and not for ever");
}

faults('C5: a date', { path => $list, do => { status => 429, headers => {
    'Retry-After' => $date->(2) }}});

my ($refused, $again) = asked('C5: a date');

cmp_ok($again - $refused, '>=', 0.9, 'C5: a date: waits');
cmp_ok($again - $refused, '<=', 4, 'C5: a date: and not for ever');
lives('C5');

# C8: no permission, no such path

my $strict = $t->nginx(
    issuer => 'unknown serial; validity good 1s;',
    directories => { entra => ['entra', 'poll off; max_age 2s;'] });

ok($strict->ready, 'C8: another, that wants fresh facts');
is($d->status($cert[0], nginx => $strict), 'good', 'C8: and has them');

for (['403', { status => 403 }], ['404', { status => 404 }],
     ['404 of the object', { status => 404,
                             code => 'Request_ResourceNotFound' }],
     ['404 in HTML', { status => 404, html => '<html>Not Found</html>' }])
{
    my ($what, $do) = @$_;
    my $at = length $n->log;

    $g->fault({ path => '^/v1\.0/devices', times => 0, do => $do });
    said("C8: $what", "devices refused with status \\d+", $at);
    is($d->resource('entra', 'devices')->{state}, 'failing',
       "C8: $what: failing") if wait_until(5, sub {
           $d->resource('entra', 'devices')->{state} eq 'failing'
       });
    $d->stays($cert[0], 'good', "C8: $what", 0.5);
    ok(wait_until(8, sub {
           $d->status($cert[0], nginx => $strict) eq 'tryLater'
       }), "C8: $what: elsewhere it is stale") if $what eq '403';
    $g->faults_clear;
    lives("C8: $what");
}

# C21: gone, and back

faults('C21: reset', { path => $list, times => 2,
                       do => { reset => JSON::PP::true } },
       { path => $list, do => { reset => 100 } });

for my $status (502, 504) {
    faults("C21: $status", { path => $list, do => {
        status => $status, html => '<html>' } });
    cmp_ok(requests($list), '<=', 3, "C21: $status: no loop");
}

faults('C21: 503', { path => $list, times => 5, do => { status => 503 } });

my @at = map { $_->{time} } grep { $_->{fault} } $g->log($list);
my @gap = map { $at[$_] - $at[$_ - 1] } 1 .. $#at;

is(scalar(grep { $_ < 0.25 || $_ > 1.5 } @gap), 0, 'C21: 503: later and later')
    or diag("@gap");
is(scalar(keys %{{ map { sprintf('%.3f', $_) => 1 } @gap }}), @gap,
   'C21: 503: by chance too') or diag("@gap");
lives('C21');

# stopped, and started again; the other directory does not mind

$before = length $n->log;
$g->stop;
said('C21: stopped', '"entra": "devices": ', $before);
$d->{sim}{jamf}->change('computer', $computer->{id},
                        general => { remoteManagement =>
                                     { managed => JSON::PP::false } },
                        managed => JSON::PP::false);
$d->becomes($mac, 'hold', 'C21: jamf goes on');
$d->stays($cert[0], 'good', 'C21: stopped', 0.5);
$g->start;
lives('C21: started again');
said('C21: started again', 'recovered after', $before);

unlike($n->log, qr/S3cr/, 'no secret in the log');

$t->done;
