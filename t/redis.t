# Redis is not there, dies, thinks, loads, is full, says strange things:
# no wrong answer, no hang, and all is well when it is.

use strict;
use warnings;

use POSIX ();

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my %cert = map { $_ => $t->cert($ca, $_) } qw(good revoked odd);
my $token = $t->token('admin', 'manage');
my $redis = $t->redis;

$t->record('demo', values %cert);

my $serial = serial_of($cert{odd});
my $key = "pki:{demo}:cert:$serial";
my $usual = $t->redis_cli('get', $key);

my $n = $t->nginx(workers => 2, http => 'pki_stale_answers off;',
                  issuer => 'validity good 1s hold 1s;');
my $strict = $ENV{TEST_PKI_SANITIZER} ? 2 : 1;

# Certificates that nobody has asked for, so that each answer needs Redis.

my $made = 0;

sub fill {
    my @lines;

    for my $i (1 .. 2000) {
        my $g = sprintf '0A%018X', $i;
        my $r = sprintf '0B%018X', $i;

        push @lines, "SET pki:{demo}:cert:$g \"$usual\"\n",
             "SET pki:{demo}:cert:$r \"$usual\"\n",
             "HSET pki:{demo}:revoked $r \"1 1 1700000000 0 me\"\n";
    }

    my $file = spew("$t->{dir}/lines", @lines);

    run_ok('sh', '-c', "redis-cli -s $redis->{socket} < $file > /dev/null");
}

sub status_of {
    my ($what) = @_;

    my $serial = $what eq 'good' ? sprintf '0A%018X', ++$made
                 : $what eq 'revoked' ? sprintf '0B%018X', ++$made
                 : serial_of($cert{$what});
    my $r = $n->ask($ca, $serial, nonce => 'x' x 8);

    return $r->{cert} || $r->{status};
}

# until all workers are

sub well {
    my ($what) = @_;

    ok(wait_until(15, sub {
        my $links = () = (run('redis-cli', '-s', $redis->{socket}, 'client',
                              'list'))[1] =~ /name=nginx-pki/g;

        $links >= 3 && !grep { status_of('good') ne 'good' } 1 .. 6;
    }), "$what: well");
    is(status_of('revoked'), 'revoked', 'revoked is revoked') for 1 .. 3;
    is(status_of('good'), 'good', 'good is good') for 1 .. 3;
}

sub no_answers {
    my ($what) = @_;

    for (1 .. 4) {
        my $start = time;

        is(status_of('good'), 'tryLater', "$what: tryLater");
        cmp_ok(time - $start, '<', 2.5 * $strict, 'in time');
    }

    my $r = $n->revoke($token, $cert{good}, 1);

    is($r->{status}, 503, 'a write: 503');
    like($r->{headers}{'retry-after'} // '', qr/^\d+$/, 'Retry-After');
    ok($r->{json}{errorMessage}, 'errorMessage');
}

fill();
ok($n->ready, 'ready');
is($n->revoke($token, $cert{revoked}, 1)->{status}, 200, 'one is revoked');
well('at first');


# not there

$t->redis_stop;
no_answers('stopped');
$t->redis;
well('started again');

$t->redis_stop(undef, 'KILL');
no_answers('killed');

my $late = $t->nginx;

is($late->ask($ca, $cert{good})->{status}, 'tryLater',
   'an nginx that starts without Redis');
$t->redis;
well('started again, with what was acknowledged');
ok(wait_until(15, sub { ($late->ask($ca, $cert{good})->{cert} || '')
                        eq 'good' }), 'the late one too');
$late->stop;

for (1 .. 5) {
    $t->redis_stop(undef, 'KILL');
    $t->redis;
}

well('five restarts');


# thinks

$t->redis_signal('STOP');
no_answers('stopped in the middle');

my @gone = map {
    my $c = http_connect($n->{port});
    my $der = ocsp_request([ certid($ca, serial_of($cert{good})) ],
                           nonce => "n$_");

    http_send($c, "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: "
                  . length($der) . "\r\n\r\n$der");
    $c;
} 1 .. 60;

sleep 0.2;
close $_ for @gone[0 .. 29];
sleep 0.2;
$t->redis_signal('CONT');

my %got;

for (@gone[30 .. 59]) {
    my $a = eval { ocsp_read(http_read($_, 'POST')->{body}) } || {};
    $got{ $a->{cert} || $a->{status} || 'nothing' }++;
}

is(join(' ', grep { !/^(good|tryLater)$/ } keys %got), '',
   'who stayed has an answer, who went does not matter');
well('goes on');

# thinks for less than the timeout: slow is not gone

$t->redis_signal('STOP');
my $pid = fork // die "fork: $!\n";

if (!$pid) {
    sleep 0.4;
    $t->redis_signal('CONT');
    POSIX::_exit(0);
}

is(status_of('good'), 'good', 'slow is not gone');
waitpid $pid, 0;


# those who ask the same at the same time wait for one question

{
    my $q = $t->nginx;

    ok($q->ready, 'ready');
    my $finds = sub {
        $t->redis_cli('info', 'commandstats')
            =~ /^cmdstat_hget:calls=(\d+)/m ? $1 : 0;
    };
    my $before = $finds->();

    $t->redis_signal('STOP');

    my $serial = sprintf '0A%018X', ++$made;
    my $der = ocsp_request([ certid($ca, $serial) ]);
    my @c = map { http_connect($q->{port}) } 1 .. 8;

    http_send($_, "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: "
                  . length($der) . "\r\n\r\n$der") for @c;
    sleep 0.3;
    $t->redis_signal('CONT');

    for (@c) {
        my $a = eval { ocsp_read(http_read($_, 'POST')->{body}) } || {};

        is($a->{cert} || $a->{status} || 'nothing', 'good', 'answered');
        close $_;
    }

    is($finds->() - $before, 1, 'by one question');

    my $status = $q->status;

    is($status->{cache}{joined}, 7, 'which seven have joined');
    is($status->{signing}{signatures}, 1, 'and one signature');
    $q->stop;
}


# a graceful end with a question under way

{
    my $q = $t->nginx;

    ok($q->ready, 'ready');
    $t->redis_signal('STOP');

    my $c = http_connect($q->{port});
    my $der = ocsp_request([ certid($ca, serial_of($cert{good})) ]);

    http_send($c, "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: "
                  . length($der) . "\r\n\r\n$der");
    sleep 0.2;
    $q->signal('QUIT');
    sleep 0.3;
    $t->redis_signal('CONT');

    my $a = eval { ocsp_read(http_read($c, 'POST')->{body}) } || {};

    is($a->{cert} || $a->{status} || 'nothing', 'good',
       'a question under way is answered before the end');
    close $c;
    $q->stop;
}


# loads

{
    # a millisecond for each of some 4,000 keys

    $t->redis_cli('bgrewriteaof');
    ok(wait_until(20, sub {
        $t->redis_cli('info', 'persistence')
            =~ /aof_rewrite_in_progress:0.*aof_rewrite_scheduled:0/s
    }), 'rewritten');

    $t->redis_stop;
    $t->redis(args => ['--key-load-delay', '1000',
                       '--loading-process-events-interval-bytes', '1024'],
              loading => 1);
    ok(wait_until(5, sub {
        (run('redis-cli', '-s', $redis->{socket}, 'ping'))[1] =~ /LOADING/
    }), 'Redis is loading');

    is(status_of('good'), 'tryLater', 'loading: tryLater');
    is($n->revoke($token, $cert{good}, 1)->{status}, 503, 'a write: 503');
    well('loaded');
    $redis->{args} = [];
}


# is full

$t->redis_cli('config', 'set', 'maxmemory', '1');

my $full = $n->revoke($token, $cert{good}, 1);

is($full->{status}, 503, 'full: a write is 503');
ok($full->{headers}{'retry-after'}, 'Retry-After');
is(status_of('good'), 'good', 'reads go on, and nothing was changed');
is(status_of('revoked'), 'revoked', 'nothing was evicted');
$t->redis_cli('config', 'set', 'maxmemory', '0');
well('not full');


# is a replica, where nothing can be written

$t->redis_cli('replicaof', '127.0.0.1', '1');
is($n->revoke($token, $cert{good}, 1)->{status}, 503, 'a replica: 503');
$t->redis_cli('replicaof', 'no', 'one');
well('a master again');


# strange replies; who writes past us must tell the news

sub odd {
    $t->redis_cli('publish', 'pki:news', 'all');
    sleep 0.1;
    return status_of('odd');
}

for (['short', 'garbage'], ['of 100,000 octets', '1 ' . 'x' x 100_000],
     ['empty', ''], ['of another version', "9 $usual"],
     ['with octets that are no text', "1 1 2 \xff \0"])
{
    my ($what, $value) = @$_;
    my $file = spew("$t->{dir}/value", $value);

    run_ok('sh', '-c', "redis-cli -s $redis->{socket} -x set '$key' < $file");
    is(odd(), 'tryLater', "a record, $what: not good");
    $t->redis_cli('set', $key, $usual);
    is(odd(), 'good', 'the link is fine');
}

$t->redis_cli('del', $key);
$t->redis_cli('lpush', $key, 'x');
is(odd(), 'tryLater', 'a key of another type');
$t->redis_cli('del', $key);
$t->redis_cli('set', $key, $usual);

for my $record ('x', '1 1', '2 1 1 0 x', '1 99 1 0 me', '1 1 -5 0 me',
                '1 6 ' . '9' x 30 . ' 0 me', 'y' x 50_000)
{
    $t->redis_cli('hset', 'pki:{demo}:revoked', $serial, $record);
    is(odd(), 'tryLater',
       'a revocation that cannot be read: ' . substr $record, 0, 20);
    cmp_ok($n->revoke($token, $cert{odd}, 1)->{status}, '>=', 500,
           'and is not written over');
}

$t->redis_cli('hdel', 'pki:{demo}:revoked', $serial);
well('no strange replies');


# refuses: too many clients, killed connections

run('redis-cli', '-s', $redis->{socket}, 'client', 'kill', 'type', 'normal')
    for 1 .. 10;
well('links killed ten times');
$t->redis_cli('config', 'set', 'maxclients', '1');
run('redis-cli', '-s', $redis->{socket}, 'client', 'kill', 'type', 'normal');
like(status_of('good'), qr/^(good|tryLater)$/, 'too many clients');
$t->redis_stop(undef, 'KILL');
$t->redis;
well('room again');

unlike($n->log, qr/\[alert\]|\[crit\]/, 'nothing alarming');
my $lines = () = $n->log =~ /\[error\]/g;

cmp_ok($lines, '<', 400, "$lines lines of errors, not a flood");
$n->stop;


# secrets, and users

{
    my $s = $t->redis(name => 'locked', args => ['--requirepass', 'open']);

    $t->redis_stop('redis');

    spew("$t->{dir}/right", "open\n");
    spew("$t->{dir}/user", "sesame");
    spew("$t->{dir}/wrong", "guess-me-not\n");

    my @cli = ('redis-cli', '-s', $s->{socket}, '-a', 'open', '--no-auth-warning');

    run_ok(@cli, 'set', "pki:{demo}:cert:" . serial_of($cert{good}), $usual);
    run_ok(@cli, 'acl', 'setuser', 'nginx', 'on', '>sesame', '~pki:*',
           '&pki:*', '+@all');

    for (['a secret', "secret_file $t->{dir}/right;", 'good'],
         ['a user', "user nginx; secret_file $t->{dir}/user;", 'good'],
         ['the wrong secret', "secret_file $t->{dir}/wrong;", 'tryLater'],
         ['no secret', '', 'tryLater'])
    {
        my ($what, $store, $expect) = @$_;
        my $l = $t->nginx(start => 0);

        $l->configure(conf => $l->text(store => $store)
                              =~ s/\Q$redis->{socket}\E/$s->{socket}/r);
        $l->start;
        $l->ready if $expect eq 'good';

        my $r = $l->ask($ca, $cert{good});

        is($r->{cert} || $r->{status}, $expect, "$what: $expect");
        sleep 0.5 if $expect ne 'good';
        unlike($l->log, qr/guess-me-not|sesame|open\b/, 'no secret in the log');
        like($l->log, qr/main.*(AUTH|NOAUTH|PING)/, 'but the cause')
            if $expect ne 'good';
        $l->stop;
    }

    $t->redis_stop('locked');
}


# TLS

SKIP: {
    my $tls_ca = $t->ca('tls-ca');
    my $cert = $t->cert($tls_ca, 'redis-tls', serial => '77',
                        ext => "subjectAltName=DNS:redis.test\n");
    my $port = free_port();
    my $r = eval {
        $t->redis(name => 'tls', args => ['--tls-port', $port, '--bind',
                  '127.0.0.1', '--tls-cert-file', $cert, '--tls-key-file',
                  "$t->{dir}/leaf.key", '--tls-ca-cert-file', $tls_ca,
                  '--tls-auth-clients', 'no']);
    };

    skip 'redis-server without TLS', 1 unless $r;

    run_ok('redis-cli', '-s', $r->{socket}, 'set',
           "pki:{demo}:cert:" . serial_of($cert{good}), $usual);

    for (['the right name', 'redis.test', $tls_ca, 'good'],
         ['another name', 'other.test', $tls_ca, 'tryLater'],
         ['another CA', 'redis.test', $ca, 'tryLater'])
    {
        my ($what, $name, $file, $expect) = @$_;
        my $l = $t->nginx(start => 0);

        $l->configure(conf => $l->text(
            store => "tls on; tls_ca_file $file; tls_name $name;")
            =~ s/unix:\Q$redis->{socket}\E/127.0.0.1:$port/r);
        $l->start;
        $l->ready if $expect eq 'good';

        is($l->ask($ca, $cert{good})->{cert} || 'tryLater', $expect,
           "TLS, $what: $expect");
        sleep 0.3;
        like($l->log, qr/TLS|certificate/i, 'says why') if $expect ne 'good';
        ok($l->reload, 'reload') if $expect eq 'good';
        $l->stop;
    }
}

$t->done;
