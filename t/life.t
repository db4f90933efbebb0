# The life of the processes: reloads under load, kill -9, an upgrade of the
# binary, no master, the smallest zone, few connections.

use strict;
use warnings;

use POSIX ();

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my @certs = map { $t->cert($ca, "c$_") } 1 .. 8;
my $reloads = 50;

# a busy machine may stop everything for a second
my @patient = (store => 'timeout 5s;');

$t->allow(qr/worker_connections are not enough/);

$t->redis;
$t->record('demo', @certs);

my @der = map { ocsp_request([ certid($ca, serial_of($_)) ]) } @certs;


# A child that asks without end, a connection for each question, also with
# nonces, and counts what it got.

sub load {
    my ($n, $file) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    my ($stop, $i, %seen) = (0, 0);
    my $nonce = ocsp_request([ certid($ca, serial_of($certs[0])) ],
                             nonce => 'n' x 16);

    $SIG{TERM} = sub { $stop = 1 };

    while (!$stop) {
        my $der = ++$i % 10 ? $der[rand @der] : $nonce;
        my $r = eval { $n->http('POST', '/ocsp', body => $der) }
                || { body => '' };

        last if $stop;

        my $a = eval { ocsp_read($r->{body}) } || {};
        $seen{ $a->{cert} || $a->{status} || 'nothing' }++;
    }

    spew($file, map { "$_ $seen{$_}\n" } sort keys %seen);
    POSIX::_exit(0);
}

# runs code under the load of three children; what was seen, as text

my $loads = 0;

sub under_load {
    my ($n, $code) = @_;

    my @files = map { "$t->{dir}/load" . $loads++ } 1 .. 3;
    my @pids = map { load($n, $_) } @files;

    sleep 0.3;
    $code->();
    sleep 0.3;
    kill 'TERM', @pids;
    waitpid $_, 0 for @pids;

    my %sum;

    for (map { split /\n/, slurp($_) } @files) {
        my ($what, $count) = split;
        $sum{$what} += $count;
    }

    cmp_ok($sum{good} || 0, '>', 100, 'there was a load');
    delete $sum{good};

    return join ', ', map { "$sum{$_} $_" } sort keys %sum;
}

sub rss {
    my ($kb) = slurp('/proc/' . shift() . '/status') =~ /^VmRSS:\s+(\d+)/m;
    return $kb;
}

sub links {
    return scalar(() = $t->redis_cli('client', 'list') =~ /name=nginx-pki/g);
}


# reloads

{
    my $n = $t->nginx(workers => 2, @patient);

    ok($n->ready, 'ready');
    is(links(), 3, 'a link for each worker and one for the news');

    my @rss;

    is(under_load($n, sub {
        for my $i (1 .. $reloads) {
            $n->reload or fail("reload $i");
            push @rss, rss($n->master);
        }
    }), '', "no request failed in $reloads reloads");

    cmp_ok($rss[-1] - $rss[9], '<', $ENV{TEST_PKI_SANITIZER} ? 30000 : 1500,
           "the master has not grown: $rss[9] kB after 10, $rss[-1] at last");
    ok(wait_until(10, sub { links() == 3 }), 'and no link is left over')
        or diag(links());
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'good');

    # a configuration that is wrong changes nothing
    my $conf = slurp($n->{conf});

    spew($n->{conf}, $conf =~ s/pki_ocsp;/pki_ocsp nobody;/r);
    $n->signal('HUP');
    ok(wait_until(5, sub { $n->log =~ /"nobody" not found/ }), 'refused');
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'still good');
    $t->allow(qr/"nobody" not found/);

    # another size of the zone is another zone
    spew($n->{conf}, $conf =~ s/pki_zone 1m/pki_zone 3m/r);
    ok($n->reload, 'a larger zone');
    ok($n->ready, 'ready');
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'good');
    $n->stop;
}


# workers die

{
    my $n = $t->nginx(workers => 2, @patient);

    ok($n->ready, 'ready');
    # it may have held the lock of the zone, which nginx then takes back
    $t->allow(qr/worker process \d+ exited on signal 9/,
              qr/shared memory zone "ngx_http_pki" was locked by \d+/);

    my $seen = under_load($n, sub {
        for (1 .. 15) {
            my @workers = $n->workers;

            kill 'KILL', $workers[rand @workers];
            wait_until(10, sub { $n->workers == 2 }) or fail('no new worker');
            sleep 0.1;
        }
    });

    unlike($seen, qr/revoked|unknown|malformed|unauthorized|internal/,
           "kill -9 of workers: no wrong answer ($seen)");
    ok($n->ready, 'ready');
    is($n->ask($ca, $_)->{cert}, 'good', 'good') for @certs;
    $n->stop;
}


# another binary takes over

{
    my $n = $t->nginx(workers => 2, daemon => 1, @patient);

    ok($n->ready, 'ready');

    is(under_load($n, sub {
        my $old = $n->master;

        kill 'USR2', $old;
        ok(wait_until(10, sub { ($n->master || $old) != $old }),
           'a new master');

        my $new = $n->master;

        ok(wait_until(10, sub { $n->workers($new) == 2 }), 'with workers');
        sleep 0.3;
        kill 'WINCH', $old;
        ok(wait_until(10, sub { !$n->workers($old) }), 'the old ones leave');
        sleep 0.3;
        kill 'QUIT', $old;
        ok(wait_until(10, sub { !kill 0, $old }),
           'the old master leaves');
    }), '', 'no request failed in an upgrade');

    ok($n->ready, 'ready');
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'good');
    ok($n->reload, 'reload of the new one');
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'good');
    $n->stop;
}


# no master

{
    my $n = $t->nginx(main => 'master_process off;');

    ok($n->ready, 'master_process off: ready');
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'good');

    is($n->ask($ca, $certs[1], nonce => 'x')->{cert}, 'good', 'a nonce');

    # nginx itself serves no more after a reload without a master: it must
    # stay alive and end as it should

    for (1 .. 3) {
        $n->signal('HUP');
        sleep 0.3;
        my $c = http_connect($n->{port});
        http_send($c, "GET / HTTP/1.0\r\n\r\n");
    }

    ok(kill(0, $n->master), 'alive after reloads');
    $n->stop;
}


# the smallest zone there is

{
    my $n = $t->nginx(zone => '1k', start => 0);
    my ($min) = ($n->check)[1] =~ /at least (\d+k)/;

    ok($min, "the smallest zone is $min");
    $t->allow(qr/is too small/);

    $n = $t->nginx(zone => $min, workers => 2, @patient,
                   issuer => 'unknown serial; responder auto valid=2h;');
    ok($n->ready, 'ready');

    my $bad = 0;

    for my $i (1 .. 300) {
        my $r = $n->ask($ca, sprintf '40%038X', $i % 150);

        $bad++ unless ($r->{cert} || '') eq 'good'
                      && hex(substr $r->{responses}[0]{serial}, -4) == $i % 150;
    }

    is($bad, 0, '300 answers through it');

    my ($evicted) = $n->http('GET', '/metrics')->{body}
                    =~ /^pki_cache_evictions_total (\d+)/m;

    cmp_ok($evicted, '>', 0, "$evicted were evicted");
    is(under_load($n, sub { sleep 1 }), '', 'under load');
    $n->stop;

    # directories need more; those that come later may find no room, and do
    # without

    my $push = join '', map { "pki_directory d$_ push {}\n" } 1 .. 8;
    my $issuer = 'unknown serial;';

    $n = $t->nginx(zone => $min, http => $push, start => 0);
    ($min) = ($n->check)[1] =~ /at least (\d+k)/;
    ok($min, "with eight directories it is $min");

    $n = $t->nginx(zone => $min, workers => 2, @patient, issuer => $issuer);
    $n->configure(zone => $min, workers => 2, @patient, issuer => $issuer,
                  http => $push);
    ok($n->reload, 'a reload with eight directories');
    like($n->log, qr/\[warn\].*pki_zone has no room for "d8"/, 'a warning');
    ok(wait_until(5, sub { $n->ask($ca, '40' . '0' x 38)->{cert} }),
       'it answers');
    $n->stop;
}


# few connections

{
    my $n = $t->nginx(events => 'worker_connections 12;');

    ok($n->ready, 'ready');
    is($n->ask($ca, $certs[0])->{cert}, 'good', 'good');

    my @open = map { http_connect($n->{port}) } 1 .. 30;

    sleep 0.5;

    # the link is lost and there is no connection for a new one
    $t->redis_cli('client', 'kill', 'type', 'normal', 'skipme', 'yes');
    sleep 0.5;
    close $_ for @open;
    ok(wait_until(15, sub { $n->ready }), 'free again: ready');
    is($n->ask($ca, $certs[0], nonce => 'x')->{cert}, 'good', 'good');
    $n->stop;

    # not even enough to begin with
    $n = $t->nginx(events => 'worker_connections 5;');
    ok($n->{pid}, 'five of them');
    sleep 1;
    eval { $n->ask($ca, $certs[0]) } for 1 .. 5;
    $n->stop;
}

$t->done;
