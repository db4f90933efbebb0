# What a directory costs and how fast its changes show: see scripts/bench.
#
#     polling  from a change in the simulated directory to the first OCSP
#              answer that shows it
#     hook     the same with webhooks in place of polling
#     pass     a first pass over 100,000 devices, users and managed devices
#              each: time, CPU of the poller's thread, memory of its worker,
#              and what OCSP clients notice of it
#
# Prints lines "name<TAB>value<TAB>unit<TAB>limit", limit being empty, or the
# bar with its sign in front.

use strict;
use warnings;

use Getopt::Long;
use Time::HiRes qw(time sleep);

use PKI::Bench;
use PKI::Directory;
use PKI::Test;

my ($changes, $objects, $probe) = (100, 100_000, 10);

GetOptions('changes=i' => \$changes, 'objects=i' => \$objects,
           'probe=i' => \$probe)
    or exit 2;

$| = 1;


# seconds until the certificate has the status

sub until_status {
    my ($d, $cert, $status, $start) = @_;

    for (;;) {
        return time - $start if $d->status($cert) eq $status;
        die "$cert never becomes $status\n" if time - $start > 30;
        sleep 0.002;
    }
}


# the thread of the poller: (pid, tid) of the worker that has a second one

sub poller_thread {
    my ($n) = @_;

    for my $pid ($n->workers) {
        my @tasks = grep { $_ != $pid } map { m{/(\d+)$} }
                    glob "/proc/$pid/task/*";
        return ($pid, $tasks[0]) if @tasks;
    }

    die "there is no thread\n";
}

sub bench_changes {
    my ($interval, $hook) = @_;

    my $t = PKI::Test->new;
    my $port = PKI::Test::free_port();
    my $text = $hook
        ? "interval 1h; hook_secret_file $t->{dir}/hook;"
          . "hook_url http://127.0.0.1:$port/hook;"
        : "interval ${interval}ms;";

    PKI::Test::spew("$t->{dir}/hook", "a secret of the hook\n");

    my $server = $hook ? 'location /hook { pki_hook entra; }' : '';
    my $d = PKI::Directory->new($t, entra => { text => $text },
                                nginx => { server => $server,
                                           http => $hook
                                ? "server { listen 127.0.0.1:$port; $server }"
                                : '' });
    my $g = $d->{sim}{graph};
    my $user = $g->add('user', accountEnabled => PKI::Sim::true);
    my $cert = $d->cert('user', User => $user->{id});
    my @took;

    $d->{nginx}->ready;
    until_status($d, $cert, 'good', time);

    # the subscription stands
    PKI::Test::wait_until(20, sub { $g->stats->{objects}{subscription} })
        or die "no subscription\n" if $hook;

    for my $i (1 .. $changes) {
        my $on = $i % 2 == 0;

        sleep rand($hook ? 0.05 : $interval / 1000);

        my $start = time;

        $g->change('user', $user->{id},
                   accountEnabled => $on ? PKI::Sim::true : PKI::Sim::false);
        push @took, until_status($d, $cert, $on ? 'good' : 'hold', $start);
    }

    $t->done;

    return map { $_ * 1000 } @took;
}


sub bench_pass {
    my $t = PKI::Test->new;
    my $graph = PKI::Sim->new('graph', dir => $t->{dir},
                              options => { token_lifetime => 3599 });

    # a directory is on another machine
    setpriority 0, $graph->{pid}, 19;

    for my $kind (qw(device user managedDevice)) {
        $graph->bulk($kind, $objects, seed => 1);
    }

    my $ca = $t->ca('ca');
    my $token = $t->token('bench', 'manage');

    $t->redis;

    # certificates that nothing of the pass concerns, so both are the same
    my @certs = map { $t->cert($ca, "static$_") } 1 .. 50;
    my $blocks = bless { t => $t, sim => { graph => $graph } },
                       'PKI::Directory';
    my $quick = 'interval 1h; settle 0s; confirm 0s; guard off;'
                . 'max_size 256m;';
    my %directories = map {
        $_ => [$_, $blocks->block($_, quick => $quick)]
    } qw(entra intune);

    $t->record('demo', @certs);

    my $idle = $t->nginx(workers => 2, name => 'idle', directories =>
                         { map { $_ => [$_, 'poll off;'] } qw(entra intune) });

    $idle->ready;

    my $pid = prober($idle, $ca, \@certs, "$t->{dir}/idle.took");

    sleep $probe;

    my @before = probed("$t->{dir}/idle.took", $pid);

    $idle->stop;

    my $n = $t->nginx(workers => 2, name => 'busy',
                      directories => \%directories);
    my $start = time;

    $n->ready;

    my ($worker, $thread) = poller_thread($n);
    my $rss = memory($worker, 'VmRSS');

    $pid = prober($n, $ca, \@certs, "$t->{dir}/busy.took");

    my $d = bless { t => $t, nginx => $n, token => $token }, 'PKI::Directory';
    my %want = (entra => ['devices', 'users'], intune => ['devices']);
    my $done = 0;

    until ($done) {
        sleep 0.2;
        die "the pass takes too long\n" if time - $start > 600;

        my $all = $d->directories;

        $done = 1;
        for my $name (sort keys %want) {
            for my $resource (@{ $want{$name} }) {
                my ($r) = grep { $_->{name} eq $resource }
                          @{ $all->{$name}{resources} };
                $done = 0 unless $r && $r->{rounds};
            }
        }
    }

    my $time = time - $start;
    my $cpu = cpu($worker, $thread);
    my $peak = memory($worker, 'VmHWM');
    my @during = map { $_ } probed("$t->{dir}/busy.took", $pid);
    my ($used) = $t->redis_cli('INFO', 'memory') =~ /used_memory:(\d+)/;

    # what was told is there
    my $known = $t->redis_cli('HLEN', 'pki:{entra}:index:devices');

    die "only $known devices\n" unless $known == $objects;

    row('first pass', $time, 's');
    row('CPU of the poller', $cpu, 's');
    row('objects per second of CPU', 3 * $objects / $cpu, '1/s', '>=25000');
    row('memory of worker 0, growth', $peak - $rss, 'MiB', '<=64');
    row('memory of Redis per object', $used / 3 / $objects, 'octets');
    row('OCSP p99, idle poller', p99(@before) * 1000, 'ms');
    row('OCSP p99, during the pass', p99(@during) * 1000, 'ms');
    row('OCSP p99, ratio', p99(@during) / p99(@before), '', '<=2');

    $t->done;
}


my %benches = (
    polling => sub {
        my @took = bench_changes(1000, 0);

        row('change to answer, interval 1 s, median', median(@took), 'ms');
        row('change to answer, interval 1 s, p99', p99(@took), 'ms',
            '<=1200');
    },
    hook => sub {
        my @took = bench_changes(0, 1);

        row('change to answer, hook, median', median(@took), 'ms');
        row('change to answer, hook, p99', p99(@took), 'ms', '<=500');
    },
    pass => \&bench_pass,
);

for my $name (@ARGV) {
    die "there is no bench \"$name\"\n" unless $benches{$name};
    $benches{$name}->();
}
