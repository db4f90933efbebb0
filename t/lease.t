# One poller for a directory, wherever it runs: two hosts on one Redis, a
# worker and a whole host that are killed, two masters during an upgrade of
# the binary.  No change is lost.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $life = 15;          # seconds that a lease lives without its holder
my $try = 5;            # between two tries to get it
my $slow = 3;           # a machine with much to do

$t->allow(qr/worker process \d+ exited on signal 9/,
          qr/shared memory zone "ngx_http_pki" was locked by \d+/);

sub lease { return $t->redis_cli('get', "pki:{$_[0]}:lease") }

sub poller { return $_[0] =~ /:(\d+) / ? $1 : 0 }

sub tokens { return scalar(() = $_[0]->log('/oauth2/')) }

sub enable {
    my ($d, $on) = @_;

    $d->{sim}{graph}->change('device', $d->{device}{id}, accountEnabled =>
                             $on ? PKI::Sim::true : PKI::Sim::false);
}

# a directory with a simulator of its own, an nginx, a device

sub story {
    my ($name, %o) = @_;

    my $d = PKI::Directory->new($t, entra => { name => $name }, %o);

    $d->{device} = $d->{sim}{graph}->add('device');
    $d->{cert} = $d->cert($name, Device => $d->{device}{deviceId});
    $d->becomes($d->{cert}, 'good', "$name: a device");

    return $d;
}


# two hosts

my $two = story('two');
my $one = story('one');
my $host = $t->nginx(workers => 2, issuer => 'unknown serial;',
                     directories => $two->{directories});

ok($host->ready, 'another host');
is(scalar(grep { $_ == poller(lease('two')) } $two->{nginx}->workers), 1,
   'the first has the lease');
ok(wait_until(5, sub { $host->log =~ /another process polls it/ }),
   'and the second knows');
enable($two, 0);
$two->becomes($two->{cert}, 'hold', 'disabled');
is($two->status($two->{cert}, nginx => $host), 'hold', 'so says the other');
is(tokens($two->{sim}{graph}), 1, 'one of them has asked for a token');

# each of them tells how it goes, out of Redis

my ($a, $b) = map { $two->directories(nginx => $_)->{two} }
                  $two->{nginx}, $host;

like($a->{holder}, qr/:\d+$/, 'who polls');
is($a->{holder}, $b->{holder}, 'is told by both');


# what is killed does not give its lease back

my $killed = time;
my ($worker) = grep { $_ == poller(lease('one')) } $one->{nginx}->workers;

ok($worker, 'a worker polls');
kill 'KILL', $worker;
$two->{nginx}->end_now;
enable($one, 0);
enable($two, 1);


# meanwhile: an upgrade of the binary

{
    my $d = story('upgrade', nginx => { daemon => 1 });
    my $n = $d->{nginx};
    my $old = $n->master;
    my ($first) = grep { $_ == poller(lease('upgrade')) } $n->workers;

    ok($first, 'upgrade: the first master polls');
    kill 'USR2', $old;
    ok(wait_until(10, sub { ($n->master || $old) != $old }), 'a new master');

    my $new = $n->master;

    ok(wait_until(10, sub { $n->workers($new) == 2 }), 'with workers');
    enable($d, 0);
    $d->becomes($d->{cert}, 'hold', 'two masters: disabled');
    is(poller(lease('upgrade')), $first, 'by the same worker');
    is(tokens($d->{sim}{graph}), 1, 'there is one poller');

    kill 'WINCH', $old;
    ok(wait_until(10, sub { !$n->workers($old) }), 'the old ones leave');
    enable($d, 1);
    cmp_ok($d->becomes($d->{cert}, 'good', 'enabled'), '<', $slow, 'soon');
    is(scalar(grep { $_ == poller(lease('upgrade')) } $n->workers($new)), 1,
       'the new master polls');
    kill 'QUIT', $old;
    ok(wait_until(10, sub { !kill 0, $old }), 'the old master leaves');
    enable($d, 0);
    $d->becomes($d->{cert}, 'hold', 'disabled again');
    $n->stop;
    is(lease('upgrade'), '', 'the lease is given back');
}


# until their leases run out, the dead have them

if (time < $killed + $life - 2) {
    is(poller(lease('one')), $worker, 'the lease of a killed worker');
    is($one->status($one->{cert}), 'good', 'so nothing has changed');
}

for (['one', $one, $one->{nginx}, 'hold'], ['two', $two, $host, 'good']) {
    my ($name, $d, $n, $status) = @$_;

    ok(wait_until($killed + $life + $try + $slow - time, sub {
        my $p = poller(lease($name));

        grep { $_ == $p } $n->workers
    }), sprintf '%s: taken over %.1f s after', $name, time - $killed);
    ok(wait_until(10, sub {
        $d->status($d->{cert}, nginx => $n) eq $status
    }), "what has changed since is seen: $status");
}

is(tokens($two->{sim}{graph}), 2, 'with a token of its own');
enable($two, 0);
ok(wait_until(10, sub { $two->status($two->{cert}, nginx => $host)
                        eq 'hold' }), 'and it goes on');

# who ends in order gives it back

$host->stop;
is(lease('two'), '', 'given back');

$t->done;
