# Answers in shared memory: what enters, what leaves, what is signed anew.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $good = $t->cert($ca, 'good');
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record('demo', $good);

my $n = $t->nginx(workers => 2, issuer => 'validity good 8s hold 8s;');

ok($n->ready, 'ready');

sub counted {
    my ($what) = @_;

    my $text = $n->http('GET', '/metrics')->{body};
    my $sum = 0;

    $sum += $1 while $text =~ /^$what(?:\{[^}]*\})? (\d+)$/mg;

    return $sum;
}


# kept, for all workers

my $first = $n->ask($ca, $good);
my $commands = commands();

is($first->{cert}, 'good', 'good');
is($n->ask($ca, $good)->{der}, $first->{der}, 'the same octets') for 1 .. 20;
is($n->ask($ca, $good, get => 1)->{der}, $first->{der}, 'by GET too');
is(commands(), $commands, 'and Redis was not asked');


# a nonce takes the verdict, and leaves nothing

my $nonce = $n->ask($ca, $good, nonce => 'a' x 16);

is($nonce->{nonce}, 'a' x 16, 'a nonce');
is(commands(), $commands, 'does not ask Redis either');
is($n->ask($ca, $good, nonce => 'b' x 16)->{nonce}, 'b' x 16, 'another nonce');

my $plain = $n->ask($ca, $good);

ok(!defined $plain->{nonce}, 'none without');
is($plain->{der}, $first->{der}, 'the answer of before');


# signed anew in the last quarter of its life

my $used = time - $first->{this};

sleep 5 - $used if $used < 5;
is($n->ask($ca, $good)->{der}, $first->{der}, 'before the last quarter');
sleep 2.2;

my $renewed = $n->ask($ca, $good);

isnt($renewed->{der}, $first->{der}, 'in the last quarter: another');
ok($renewed->{next} > $first->{next}, 'that lives longer');
is($renewed->{cert}, 'good', 'and says the same');


# forgotten with a revocation, in the moment of it, and again

for my $round (1 .. 20) {
    $n->ask($ca, $good) for 1 .. 4;
    is($n->revoke($token, $good, 6)->{status}, 200, "hold $round");

    my @answers = map { $n->ask($ca, $good)->{cert} } 1 .. 4;

    is("@answers", 'revoked revoked revoked revoked', 'seen at once');
    is($n->revoke($token, $good, 8)->{status}, 200, "release $round");
    @answers = map { $n->ask($ca, $good)->{cert} } 1 .. 4;
    is("@answers", 'good good good good', 'seen at once');
}


# unknown is asked anew, so a new certificate counts as soon as it is recorded

my $new = $t->cert($ca, 'new');

is($n->ask($ca, $new)->{cert}, 'unknown', 'not recorded yet');
$t->record('demo', $new);
is($n->ask($ca, $new)->{cert}, 'good', 'recorded');


# a reload keeps what is known

$first = $n->ask($ca, $good);
$commands = commands();
ok($n->reload, 'reload');
ok($n->ready, 'ready');

my $kept = $n->status;

ok(defined $kept, 'the status page is there');


# stale answers

$first = $n->ask($ca, $good);
$t->redis_stop;
ok(wait_until(5, sub { $n->http('GET', '/probe')->{status} == 503 }),
   'Redis is gone');

is($n->ask($ca, $good)->{cert}, 'good',
   'an answer that is valid is still handed out');
is($n->ask($ca, $good)->{der}, $first->{der}, 'as it was signed');
is($n->ask($ca, '0A0B0C')->{status}, 'tryLater', 'a new one is not signed');
is($n->ask($ca, $good, nonce => 'n' x 8)->{status}, 'tryLater',
   'nor one with a nonce');

ok(wait_until(12, sub { $n->ask($ca, $good)->{status} eq 'tryLater' }),
   'until its end');
ok(time >= $first->{next} - 1, 'and not before');

$t->redis;
ok(wait_until(10, sub { ($n->ask($ca, $good)->{cert} || '') eq 'good' }),
   'Redis is back');

my $strict = $t->nginx(http => 'pki_stale_answers off;', news => '300ms');

ok($strict->ready, 'ready');
is($strict->ask($ca, $good)->{cert}, 'good', 'with stale answers off');
$t->redis_stop;
sleep 0.5;
is($strict->ask($ca, $good)->{status}, 'tryLater', 'nothing without Redis');

$t->done;


sub commands {
    my ($n) = $t->redis_cli('info', 'commandstats')
              =~ /cmdstat_hget:calls=(\d+)/;
    return $n;
}
