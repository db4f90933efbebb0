# After the 200 of a revocation no worker of that host says good, and no
# other host does for longer than the news timeout; also without the news.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my @certs = map { $t->cert($ca, "c$_") } 1 .. 24;
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record('demo', @certs);

my $timeout = 1;
my @n = map { $t->nginx(workers => 2, news => "${timeout}s") } 1, 2;

ok($_->ready, 'ready') for @n;


# Children that ask one nginx without end and write down, for each answer,
# when it was asked for and what it was.

sub hammer {
    my ($n, $cert, $file) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    my $der = ocsp_request([ certid($ca, serial_of($cert)) ]);
    my $stop = 0;
    my @seen;

    $SIG{TERM} = sub { $stop = 1 };

    while (!$stop) {
        my $socket = http_connect($n->{port});

        for (1 .. 20) {
            my $at = time;
            my $r = $n->http('POST', '/ocsp', body => $der,
                             socket => $socket);
            my $a = eval { ocsp_read($r->{body}) } || {};

            last if $stop;
            push @seen, [$at, $a->{cert} || $a->{status} || 'nothing'];
            last unless $r->{status};
        }
    }

    spew($file, map { "$_->[0] $_->[1]\n" } @seen);
    POSIX::_exit(0);
}

# revokes one certificate under that, and returns the time of the 200 and
# the lists of what was seen at each nginx

my $round = 0;

sub story {
    my ($seconds, $cut) = @_;

    my $cert = $certs[$round++];
    my (@pids, @files);

    for my $i (0, 1) {
        for my $k (1, 2) {
            push @{ $files[$i] }, "$t->{dir}/seen-$round-$i-$k";
            push @pids, hammer($n[$i], $cert, $files[$i][-1]);
        }
    }

    sleep 0.3;
    $cut->() if $cut;

    my $r = $n[0]->revoke($token, $cert, 1);
    my $at = time;

    sleep $seconds;
    kill 'TERM', @pids;
    waitpid $_, 0 for @pids;

    is($r->{status}, 200, "revocation $round");

    return ($at, map {
        [ map { [split] } map { split /\n/, slurp($_) } @$_ ]
    } @files);
}

sub good_after {
    my ($seen, $at) = @_;
    return scalar grep { $_->[0] > $at && $_->[1] eq 'good' } @$seen;
}

sub check {
    my ($what, $at, @seen) = @_;

    for my $i (0, 1) {
        # a connection ends with its worker
        @{ $seen[$i] } = grep { $_->[1] ne 'nothing' } @{ $seen[$i] }
            if $what =~ /reload/;

        cmp_ok(scalar @{ $seen[$i] }, '>', 50, "$what: answers of host $i");
        is(join(' ', grep { !/^(good|revoked)$/ } map { $_->[1] }
                     @{ $seen[$i] }),
           '', 'none else');
        is($seen[$i][-1][1], 'revoked', 'at last revoked');
    }

    is(good_after($seen[0], $at), 0, "$what: no stale answer on that host");
    is(good_after($seen[1], $at + $timeout), 0,
       "$what: none elsewhere after the timeout");
}

check('with news', story(0.5)) for 1 .. 8;


# the news link is cut, and what connects anew hears nothing either

sub cut_news {
    my $clients = $t->redis_cli('client', 'list');

    $t->redis_cli('client', 'kill', 'id', $_)
        for map { /^id=(\d+).* sub=1 /m ? $1 : () } split /\n/, $clients;
}

check('news cut', story($timeout + 0.5, \&cut_news)) for 1 .. 3;


# subscribers that are never told: Redis forbids the channel

sub deaf { $t->redis_cli('acl', 'setuser', 'default', 'resetchannels') }

$t->redis_cli('config', 'set', 'acl-pubsub-default', 'resetchannels');

{
    # publishing is forbidden as well: so the owner's word is lost, and with
    # it the whole script; the revocation is made by hand
    my $cert = $certs[$round++];
    my $serial = serial_of($cert);

    is($_->ask($ca, $cert)->{cert}, 'good', 'good') for @n, @n;
    cut_news();
    deaf();
    cut_news();
    $t->redis_cli('hset', 'pki:{demo}:revoked', $serial,
                  '1 1 ' . int(time) . ' 0 by hand');

    my $at = time;

    ok(wait_until(10, sub { $n[1]->ask($ca, $cert)->{cert} eq 'revoked' }),
       'without any news');
    cmp_ok(time - $at, '<=', $timeout + 0.5, 'seen before the timeout');
    # each host counts from when it last heard of Redis itself
    wait_until($timeout, sub { time > $at + $timeout });
    is($_->ask($ca, $cert)->{cert}, 'revoked', 'everywhere') for @n, @n;
    $t->redis_cli('acl', 'setuser', 'default', 'allchannels');
}

ok($_->ready, 'ready again') for @n;
sleep 1;
check('with news again', story(0.5)) for 1 .. 2;


# worker 0, who listens, is killed

for my $n (@n) {
    my ($first) = $n->workers;

    kill 'KILL', $first;
    ok(wait_until(5, sub { $n->workers == 2 }), 'another worker');
    $t->allow(qr/worker process $first exited on signal 9/,
              qr/shared memory zone "ngx_http_pki" was locked by $first/);
}

check('after kill -9', story($timeout + 0.5)) for 1 .. 2;


# a reload of the listener while a revocation comes

check('in a reload', story($timeout + 0.5, sub { $n[1]->signal('HUP') }));

$t->done;
