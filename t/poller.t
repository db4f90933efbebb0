# The poller's thread in nginx: when there is one, what it may be bothered
# by, and that nothing which hangs keeps a worker from its end.

use strict;
use warnings;
no warnings 'portable';     # masks of 64 signals

use IO::Socket::INET;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $reloads = $ENV{TEST_PKI_SANITIZER} ? 10 : 50;
my $tsan = ($ENV{TEST_PKI_SANITIZER} // '') eq 'tsan';
my $slow = $ENV{TEST_PKI_SANITIZER} ? 4 : 1;   # a sanitizer's time

# the mask of signals that only faults may be missing in
my @faults = (4, 7, 8, 11);     # ILL, BUS, FPE, SEGV
my @sent = (1, 2, 3, 10, 12, 13, 14, 15, 17, 28, 29);


# all but that of ThreadSanitizer, which has no name of its own; the pollers

sub threads {
    my ($pid) = @_;

    return grep { !$tsan || $_ == $pid || named($pid, $_) }
           map { m{(\d+)$} } glob "/proc/$pid/task/*";
}

sub named {
    my ($pid, $tid) = @_;
    return slurp("/proc/$pid/task/$tid/comm") eq "pki-poller\n";
}

sub fds {
    my ($pid, $regex) = @_;

    return scalar grep { (readlink // '') =~ $regex } glob "/proc/$pid/fd/*";
}

sub field {
    my ($pid, $tid, $name) = @_;

    my ($value) = slurp("/proc/$pid/task/$tid/status") =~ /^$name:\s*(\S+)/m;
    return $value;
}

# the worker with the thread; the others
sub poller {
    my ($n, $master) = @_;
    my @with = grep { my $pid = $_; grep { named($pid, $_) } threads($pid) }
               $n->workers($master);

    return wantarray ? @with : $with[0];
}

sub lease { return $t->redis_cli('get', 'pki:{entra}:lease') }

# milliseconds that a process lives on
sub lives {
    my ($pid, $start) = @_;

    my $gone = wait_until(10, sub { !-e "/proc/$pid"
        || slurp("/proc/$pid/stat") =~ /^\d+ \(.*\) Z/ });

    return $gone ? 1000 * (time - $start) : 99999;
}


# nobody to poll: no thread, and nothing of one

$t->ca('ca');
$t->redis;

for (['no directory', {}],
     ['a directory that is pushed', { push => ['push', ''] }],
     ['poll off', { entra => ['entra', 'poll off;'] }])
{
    my ($name, $directories) = @$_;
    my $n = $t->nginx(workers => 2, directories => $directories);

    ok($n->ready, "$name: ready");

    my @workers;

    ok(wait_until(5, sub { (@workers = $n->workers) == 2 }), 'both workers');
    is(scalar(threads($_)), 1, "$name: one thread") for @workers;
    is(fds($_, qr/timerfd/), 0, "$name: no timer") for @workers;
    ok(wait_until(5, sub { fds($workers[0], qr/eventfd/)
                           == fds($workers[1], qr/eventfd/) }),
       "$name: no bell");
    $n->stop;
}


# where it is, and its signals

my $d = PKI::Directory->new($t, entra => { text => '' });
my $n = $d->{nginx};
my $g = $d->{sim}{graph};
my $device = $g->add('device');
my $cert = $d->cert('device', Device => $device->{deviceId});

sub enable {
    $g->change('device', $device->{id}, accountEnabled =>
               $_[0] ? PKI::Sim::true : PKI::Sim::false);
}

$d->becomes($cert, 'good', 'a device');
ok(wait_until(5, sub { $n->workers == 2 }), 'both workers');
is(scalar(my @with = poller($n)), 1, 'one worker has the thread');

my $pid = $with[0];
my ($thread) = grep { named($pid, $_) } threads($pid);
my $blocked = hex field($pid, $thread, 'SigBlk');

ok($blocked & 1 << $_ - 1, "signal $_ is blocked in it") for @sent;
ok($tsan || !($blocked & 1 << $_ - 1), "fault $_ is not") for @faults;
is(hex field($pid, $pid, 'SigBlk'), 0, 'none is in the worker');
is(scalar(threads($n->master)), 1, 'none in the master');
like(lease(), qr/:$pid /, 'it holds the lease');

# signals to the process find the worker

kill 'USR1', $n->master;
enable(0);
$d->becomes($cert, 'hold', 'logs opened anew, and it goes on');
ok(kill(0, $pid), 'the worker lives');


# a reload takes the thread with it, and the next has the lease at once

enable(1);
$d->becomes($cert, 'good', 'enabled');
ok($n->reload, 'reload');

my $start = time;

ok(wait_until(10, sub { my $p = poller($n); $p && lease() =~ /:$p / }),
   'the new one has the lease');
cmp_ok(time - $start, '<', 2 * $slow, 'soon');
enable(0);
cmp_ok($d->becomes($cert, 'hold', 'disabled'), '<', 3 * $slow, 'soon too');

# a client that is slow keeps its worker, but not the thread

($pid) = poller($n);

my @slow = map { http_connect($n->{port}) } 1 .. 8;

http_send($_, "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
    for @slow;
sleep 0.3;
$n->reload;
ok(wait_until(5, sub { threads($pid) <= 1 }), 'a worker that leaves slowly '
   . 'has no thread any more');
enable(1);
$d->becomes($cert, 'good', 'the new one polls');
close $_ for @slow;
ok(wait_until(5, sub { !-e "/proc/$pid" }), 'it is gone');


# nothing that hangs keeps a worker

sub leaves {
    my ($n, $what, $before) = @_;

    for my $signal (qw(HUP TERM QUIT)) {
        $before->();

        my ($pid) = poller($n) or return fail("$what: no poller");
        my $start = time;

        $n->signal($signal);

        my $ms = lives($pid, $start);

        cmp_ok($ms, '<', 1000 * $slow, sprintf '%s, %s: gone in %.0f ms',
               $what, $signal, $ms);
        $t->redis_signal('CONT');

        if ($signal eq 'HUP') {
            wait_until(10, sub { $n->workers == 2 });

        } else {
            $n->stop($signal);
            $n->start if $signal eq 'TERM';
        }
    }
}

leaves($n, 'all is well', sub {
    wait_until(10, sub { lease() =~ /./ });
});

$g->fault({ path => '/devices|/users', times => 0, do => { hang => 1 } });
$n->start;
leaves($n, 'the directory hangs', sub {
    $g->log_clear;
    wait_until(15, sub { lease() =~ /./ && poller($n) });
    sleep 0.5;
});
$g->faults_clear;
$g->fault({ path => '/token', times => 0, do => { hang => 1 } });
$n->start;
leaves($n, 'the token endpoint hangs', sub {
    wait_until(15, sub { lease() =~ /./ && poller($n) });
    sleep 0.5;
});
$g->faults_clear;
$n->start;
leaves($n, 'Redis hangs', sub {
    $t->redis_signal('CONT');
    wait_until(15, sub { lease() =~ /./ && poller($n) });
    $t->redis_signal('STOP');
    sleep 0.5;
});

# a lease that could not be given back runs out; that takes fifteen seconds
ok(wait_until(5, sub { lease() =~ /./ }), 'and the lease is kept');
$t->redis_cli('del', 'pki:{entra}:lease');


# a name that nobody resolves: a server of names that is silent, in a view of
# the files of its own

SKIP: {
    my $silent = IO::Socket::INET->new(Proto => 'udp', LocalPort => 53,
                                       LocalAddr => '127.77.7.7');
    my ($status) = run('unshare', '-m', 'true');

    skip('needs port 53 and a view of the files', 3) if !$silent || $status;

    spew("$t->{dir}/resolv.conf", "nameserver 127.77.7.7\n");
    spew("$t->{dir}/nginx.sh", <<"END");
#!/bin/sh
exec unshare -m sh -c 'mount --bind $t->{dir}/resolv.conf /etc/resolv.conf &&
    exec "\$0" "\$@"' ${\ $n->binary} "\$@"
END
    chmod 0755, "$t->{dir}/nginx.sh";
    local $ENV{TEST_NGINX_BINARY} = "$t->{dir}/nginx.sh";

    my $n = $t->nginx(workers => 2, directories => { scim => ['scim',
        "url https://nobody.example.com; client_secret_file "
        . spew("$t->{dir}/secret", "s\n") . ';'] });

    ok($n->ready, 'ready');

    leaves($n, 'no name', sub {
        wait_until(15, sub { poller($n) });
        $silent->recv(my $query, 512);
        sleep 0.1;
    });
}


# reloads while it is busy

$g->bulk('device', 5000, seed => 7);
$n->start;
ok($n->ready, 'ready');
enable(1);
$d->becomes($cert, 'good', 'before');

my $fds = fds($n->master, qr/./);

for my $i (1 .. $reloads) {
    $t->redis_cli('hdel', 'pki:{entra}:sync', 'devices.link');
    $n->reload or fail("reload $i");
    enable($i % 2) if $i % 10 == 0;
}

cmp_ok(scalar(() = $n->log =~ /this process polls it/g), '>', $reloads / 4,
       'many of them have polled');

is(scalar(threads($n->master)), 1, 'no thread in the master');
ok(wait_until(10, sub { $n->workers == 2
    && slurp("/proc/${\ $n->master}/task/${\ $n->master}/children")
       =~ /^\d+ \d+ ?$/ }), 'no process is left over');
is(join(' ', sort map { scalar threads($_) } $n->workers), '1 2',
   'one thread in one of the workers');
ok(wait_until(5, sub { fds($n->master, qr/./) <= $fds }),
   "no descriptor was lost in $reloads");

# where it could not be given back in time, the last lease must run out first
enable(0);
$d->becomes($cert, 'hold', 'after', 25);
ok(wait_until(20, sub {
    ($d->resource('entra', 'devices')->{known} // 0) >= 5001 }),
   'and it knows all of them');
($pid) = poller($n);
$fds = 0;

for (1 .. 50) {
    my $now = fds($pid, qr/./);

    $fds = $now if $now > $fds;
    sleep 0.02;
}

$d->round('entra', 'devices') for 1 .. 3;

# a connection that comes and goes may have been missed; three leaks would not
ok(wait_until(5, sub { fds($pid, qr/./) <= $fds + 1 }),
   'rounds need no more descriptors');
$n->stop;


# without a master

$n = $d->{nginx} = $t->nginx(main => 'master_process off;',
                             issuer => 'unknown serial;',
                             directories => $d->{directories});
ok($n->ready, 'no master: ready');
enable(1);
$d->becomes($cert, 'good', 'no master: it polls');
is(scalar(threads($n->{pid})), 2, 'a thread');
$start = time;
$n->signal('QUIT');
cmp_ok(lives($n->{pid}, $start), '<', 1000 * $slow, 'gone in a second');
$n->stop;
is(lease(), '', 'and so is the lease');

$t->done;
