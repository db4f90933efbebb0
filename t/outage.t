# An hour in which directories are dead, hang, lie or throttle: no worker
# waits, nobody is revoked or good by mistake, the log has a line for each
# cause, and it is over by itself.
#
# The hour takes seconds: libfaketime moves nginx's clocks, those of waits
# too, ten seconds at a time, and a hint makes the poller look at its own.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::UNIX;
use PKI::Test;
use PKI::Directory;

my ($faketime) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';

plan(skip_all => 'there is no libfaketime') unless $faketime;
plan(skip_all => 'a sanitizer wants to be the first library')
    if $ENV{TEST_PKI_SANITIZER};

my $step = 10;              # seconds; every timeout is longer, as what is
                            # under way takes as long as the clocks say
my $slow = 0.05;            # seconds for an answer of OCSP
my $list = '^/v1\.0/devices\?(?!.*skiptoken)';

my $t = PKI::Test->new;
my $d = bless { t => $t, ca => $t->ca('ca'), n => 0, sim => {} },
        'PKI::Directory';
my $offset = "$t->{dir}/offset";
my ($now, $slow_answers, $slowest, %sim, %ca) = (0, 0, 0);

# a directory each, and an issuer that asks nobody else; "rounds" believes
# the same lies as "lying", after a while

my %text = (
    dead       => 'resources devices; max_age 30m;',
    hanging    => 'resources devices; max_age 30m last;',
    lying      => 'resources devices; guard 10% min=2;',
    rounds     => 'resources devices; guard 10% min=2 rounds=20;',
    vanishing  => 'resources devices; full 0; guard 10% min=2 rounds=20;'
                  . 'confirm 1m;',
    throttling => 'max_age 30m last;',
);
my $http = '';

$t->redis;
$d->{token} = $t->token('stories', 'manage');

for (sort keys %text) {
    $sim{$_} = $_ eq 'rounds' ? $sim{lying}
               : PKI::Sim->new('graph', dir => $t->{dir}, name => "sim-$_",
                               state => 1);
    $d->{sim}{graph} = $sim{$_};
    $ca{$_} = $t->ca("ca-$_");

    my $patience = $_ eq 'hanging' ? '30s' : '300s';
    my $block = $d->block('entra', quick => '', text => "$text{$_}"
                          . "stall_timeout $patience; connect_timeout 300s;"
                          . 'request_timeout 300s; lookup_timeout 200ms;'
                          . 'settle 0;');

    $http .= "pki_directory $_ entra { $block }\n"
             . "pki_issuer $_ { certificate $ca{$_}; key $t->{dir}/ca-$_.key;"
             . "unknown serial; directory $_; }\n";
}

# twenty devices each: what a certificate of theirs is to be

my $n_devices = 20;
my (%device, %cert, %changes);

sub bound {
    my ($name, $what, $id) = @_;

    $cert{"$name $what"} = [$ca{$name},
                            $t->cert($ca{$name}, "$name-$what",
                                     kind => 'Device', guid => $id)];
}

for my $name (grep { $_ ne 'rounds' } sort keys %text) {
    $device{$name} = [map { $sim{$name}->add('device') } 1 .. $n_devices];
}

$device{rounds} = $device{lying};

for my $name (sort keys %text) {
    my @id = map { $_->{deviceId} } @{ $device{$name} };

    # each third of a mass change: the first, the fourth ...
    bound($name, 'third', $id[3]);
    bound($name, 'good', $id[1]);
    bound($name, 'hold', $id[4]);
    $sim{$name}->change('device', $device{$name}[4]{id},
                        accountEnabled => PKI::Sim::false);
}

bound('dead', 'deleted', $device{dead}[7]{deviceId});

my $static = [$d->{ca}, $t->cert($d->{ca}, 'static', kind => 'Static', guid =>
                                 '00000000-0000-4000-8000-000000000001')];
my %nobody = map { $_ => [$ca{$_}, $t->cert($ca{$_}, "$_-nobody",
                          kind => 'Device', guid =>
                          '00000000-0000-4000-8000-000000000017')] }
             qw(dead hanging);

spew($offset, "+0\n");

my $n = $d->{nginx} = $t->nginx(
    workers => 2, issuer => 'unknown serial;', http => $http,
    store => 'timeout 60s;',
    env => { LD_PRELOAD => $faketime, FAKETIME_TIMESTAMP_FILE => $offset,
             FAKETIME_NO_CACHE => 1 });
my $redis = IO::Socket::UNIX->new(Peer => $t->{redis}{redis}{socket})
            or die "redis: $!\n";

sub status {
    my ($cert) = @_;

    $d->{ca} = $cert->[0];
    return $d->status($cert->[1]);
}

# time passes; certificates that nobody changes are asked for meanwhile

sub moves {
    $now += $step;
    spew("$offset.new", "+$now\n");
    rename "$offset.new", $offset;

    if ($now % 60 == 0) {
        $_->clock(advance => 60) for grep { $_->{pid} } @sim{
            grep { $_ ne 'rounds' } keys %sim};
    }

    syswrite $redis, "PUBLISH pki:news hint:dead\r\n";
    sysread $redis, my $reply, 4096;
    sleep 0.015;

    for my $name (sort keys %cert) {
        my $status = status($cert{$name});
        my $list = $changes{$name} ||= [];

        push @$list, [$status, $now]
            if !@$list || $list->[-1][0] ne $status;
    }

    my $start = time;

    ok(0, 'a certificate that has nothing to do with it')
        if status($static) ne 'good';

    my $took = time - $start;

    $slow_answers++ if $took > $slow;
    $slowest = $took if $took > $slowest;
}

sub passes_until {
    my ($limit, $code) = @_;

    my $end = $now + $limit;

    moves() until $code->() || $now >= $end;

    return $code->();
}

sub state {
    my ($name, $resource) = @_;

    # reports come once a second
    return ($d->resource($name, $resource || 'devices') || {})->{state} // '';
}

sub states { return map { state($_) } sort keys %text }

# all that OCSP said of a certificate since the hour began, and when it
# changed, in seconds of that hour

my $start = 0;

sub said { return join ' ', map { $_->[0] } @{ $changes{$_[0]} } }
sub said_at { return $changes{$_[0]}[$_[1]][1] - $start }

# what the status page says of a resource; the log's lines

sub page {
    my ($name, $resource) = @_;

    my ($r) = grep { $_->{directory} eq $name
                     && $_->{resource} eq ($resource || 'devices') }
              @{ $n->status->{directories} };

    return $r;
}

sub lines {
    my ($name, $level, $before) = @_;

    return grep { /\[$level\].*pki directory "$name": / }
           split /\n/, substr($n->log, $before // 0);
}

# before it

$d->{ca} = $ca{dead};
ok(wait_until(20, sub { !grep { $_ ne 'ok' } states() }), 'all are listed');
$sim{dead}->delete('device', $device{dead}[7]{id}, hard => 1);
ok(passes_until(300, sub { status($cert{'dead deleted'}) eq 'revoked' }),
   'one is deleted');
moves() for 1 .. 12;

my %is = map { $_ => status($cert{$_}) } keys %cert;

is($is{$_}, /good|third/ ? 'good' : /hold/ ? 'hold' : 'revoked', "before: $_")
    for sort keys %is;

# the hour

$start = $now;

my $before = length $n->log;
my %requests = map { $_ => page($_)->{requests} } keys %text;

%changes = ();
$sim{$_}->log_clear for qw(hanging throttling vanishing);
$sim{dead}->stop;
$sim{hanging}->fault({ path => '.', times => 0,
                       do => { hang => PKI::Sim::true } });
$sim{lying}->mass('device', every => 3,
                  set => { accountEnabled => PKI::Sim::false });
$sim{vanishing}->fault({ path => $list, times => 0, do => { mangle => [
    { drop => '/value', from => 3, count => 7 } ]}});
$sim{throttling}->fault(
    { path => '/devices', times => 0,
      do => { status => 429, headers => { 'Retry-After' => 600 } } },
    { path => '/users', times => 0,
      do => { status => 429, headers => { 'Retry-After' => undef } } });

moves() while $now < $start + 3600;

# nobody waited for it

# this host may have been busy elsewhere for a moment
cmp_ok($slow_answers, '<=', 3, 'OCSP is as quick as ever');
cmp_ok($slowest, '<', 1, 'and never waits');

# what OCSP said

for (sort keys %changes) {
    my $is = /good|third/ ? 'good' : /hold/ ? 'hold' : 'revoked';
    my $stale = /^dead/ && $is ne 'revoked' ? ' tryLater' : '';

    next if $_ eq 'rounds third';
    is(said($_), "$is$stale", "$_: $is$stale");

    next unless $stale;

    # the last round was some time before the hour
    cmp_ok(said_at($_, 1), '<=', 1800 + $step, "$_: as long as max_age says");
    cmp_ok(said_at($_, 1), '>=', 1650, "$_: and not shorter");
}

is(said('rounds third'), 'good hold', 'rounds: confirmed twenty times');
cmp_ok(said_at('rounds third', 1), '>=', 600, 'rounds: and not before');

for (sort keys %nobody) {
    is(status($nobody{$_}), 'tryLater', "$_: nobody knows what is new");
}

# what the log says, and the others

sub is_lines {
    my ($name, @want) = @_;

    my @lines = lines($name, 'error', $before);
    my $all = @lines == @want;

    for my $i (0 .. $#want) {
        $all &&= $lines[$i] =~ $want[$i];
    }

    ok($all, "$name: a line for each cause") or diag(join "\n", @lines);
}

my $held = qr/"devices": held back: 7 of 20 objects would be revoked, 2 may/;


# the second when the token has ended

is_lines('dead', qr/"devices": "[^"]*": Failed to connect to/,
         qr/"devices": no reply from the token endpoint: .* connect to/);
is_lines('hanging', qr/"devices": "[^"]*": Operation (?:too slow|timed out)/,
         qr/"devices": no reply from the token endpoint: /);
is_lines('lying', $held);
is_lines('rounds', $held);
is_lines('throttling', qr/"devices": status 429/, qr/"users": status 429/);
cmp_ok(scalar lines('vanishing', 'error', $before), '<=', 6,
       'vanishing: a line for each twenty rounds');

for (['dead', 'devices', qr/Failed to connect/], ['hanging', 'devices',
      qr/too slow|timed out/], ['throttling', 'devices', qr/^status 429$/],
     ['throttling', 'users', qr/^status 429$/])
{
    my ($name, $resource, $error) = @$_;
    my $r = $d->resource($name, $resource);

    is($r->{state}, 'failing', "$name, $resource: failing");
    like($r->{error}, $error, "$name, $resource: why");
    is(page($name, $resource)->{failing}, 1,
       "$name, $resource: so says the status page");
}

is(state('lying'), 'held back', 'lying: held back');
is(page('lying')->{heldBack}, 1, 'lying: so says the status page');
is($d->resource('lying', 'devices')->{held}, '7 of 20, 2 may',
   'lying: how many');
cmp_ok(page('throttling')->{throttled}, '>=', 10, 'throttling: counted');

# requests are few

my @busy = $sim{throttling}->log('/devices');

cmp_ok(scalar @busy, '<=', 13, 'throttling: it is heard, up to five minutes');
cmp_ok(scalar @busy, '>=', 10, 'throttling: but not given up');
cmp_ok(scalar $sim{throttling}->log('/users'), '<=', 160,
       'throttling: without a time, later and later');
cmp_ok(page('dead')->{requests} - $requests{dead}, '<=', 160, 'dead: few');
cmp_ok(scalar $sim{hanging}->log, '<=', 90, 'hanging: few');
cmp_ok($sim{hanging}->stats->{connections_most}, '<=', 8,
       'hanging: and no connection is left open');
is(scalar(grep { /oauth2/ } map { $_->{target} } $sim{vanishing}->log), 1,
   'vanishing: one token an hour');

# it is over

my $after = length $n->log;

$sim{dead}->start;
$sim{dead}->clock(advance => 3600);
$_->faults_clear for @sim{qw(hanging vanishing throttling)};
$sim{lying}->mass('device', every => 3,
                  set => { accountEnabled => PKI::Sim::true });
$sim{lying}->change('device', $device{lying}[4]{id},
                    accountEnabled => PKI::Sim::false);

ok(passes_until(600, sub {
       !grep { $_ ne 'ok' } states(), state('throttling', 'users')
   }), 'all are well again') or diag(explain($d->directories));
like(join("\n", lines('throttling', 'notice', $after)),
     qr/"$_": recovered after \d+ failure/, "throttling, $_: recovered")
    for qw(devices users);

for (qw(dead hanging)) {
    my @lines = lines($_, 'notice', $after);

    is(scalar @lines, 1, "$_: one line");
    like($lines[0], qr/"devices": recovered after \d+ failures/,
         "$_: recovered");
}

is(scalar lines('lying', 'notice', $after), 1, 'lying: no longer held back');
is(scalar lines($_, 'error', $after), 0, "$_: and no more errors")
    for sort keys %text;

for (sort keys %cert) {
    my $is = /good|third/ ? 'good' : /hold/ ? 'hold' : 'revoked';

    is(status($cert{$_}), $is, "after: $_");
}

# and a change is seen by the next round

for my $name (grep { $_ ne 'rounds' } sort keys %text) {
    $sim{$name}->change('device', $device{$name}[1]{id},
                        accountEnabled => PKI::Sim::false);
}

for my $name (sort keys %text) {
    ok(passes_until(60, sub { status($cert{"$name good"}) eq 'hold' }),
       "$name: a change is seen");
}

unlike($n->log, qr/S3cr/, 'no secret in the log');

$t->done;
