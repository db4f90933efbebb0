# What the status page says, in its three forms.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $good = $t->cert($ca, 'good');
my $revoked = $t->cert($ca, 'revoked');
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record('demo', $good, $revoked);

my $n = $t->nginx(workers => 2);

ok($n->ready, 'ready');

sub metric {
    my ($name) = @_;

    my ($value) = $n->http('GET', '/metrics')->{body}
                  =~ /^\Q$name\E (\S+)$/m;
    return $value;
}

sub grows {
    my ($name, $by, $code) = @_;

    my $before = metric($name);

    $code->();
    is(metric($name) - $before, $by, "$name: $by more");
}

is($n->revoke($token, $revoked, 1)->{status}, 200, 'one is revoked');

my $answers = sub { "pki_ocsp_answers_total{result=\"$_[0]\"}" };

grows($answers->('good'), 7, sub { $n->ask($ca, $good) for 1 .. 7 });
grows($answers->('revoked'), 1, sub { $n->ask($ca, $revoked) });
grows($answers->('unknown'), 1, sub { $n->ask($ca, '0A') });
grows($answers->('malformed_request'), 2, sub { $n->post('x') for 1, 2 });
grows($answers->('unauthorized'), 1,
      sub { $n->ask($t->ca('other'), '0A') });
grows($answers->('refused'), 1, sub { $n->http('PUT', '/ocsp') });
grows('pki_cache_lookups_total{result="hit"}', 3,
      sub { $n->ask($ca, $good) for 1 .. 3 });
grows('pki_cache_lookups_total{result="verdict_hit"}', 1,
      sub { $n->ask($ca, $good, nonce => 'x') });
grows('pki_signatures_total', 1,
      sub { $n->ask($ca, $good, nonce => 'y') });
grows('pki_api_replies_total{result="refused"}', 1,
      sub { $n->revoke($token, '0A', 1) });

cmp_ok(metric('pki_cache_entries'), '>=', 2, 'entries');
cmp_ok(metric('pki_cache_used_bytes'), '>', 500, 'octets they take');
is(metric('pki_store_up{store="main"}'), 1, 'the store is up');
cmp_ok(metric('pki_store_news_age_milliseconds{store="main"}'), '<', 2000,
       'the age of the news');
cmp_ok(abs(metric('pki_signer_not_after_seconds{issuer="demo"}')
           - time - 86400), '<', 20, 'when the signer expires');
is(metric('pki_store_append_only{store="main"}'), 1, 'append-only');
is(metric('pki_store_evicts{store="main"}'), 0, 'noeviction');

my $m = $n->http('GET', '/metrics');

like($m->{headers}{'content-type'}, qr{^text/plain; ?version=0\.0\.4},
     'the type of Prometheus');

for (split /\n/, $m->{body}) {
    next if /^# (TYPE|HELP) \w+ /
            || /^\w+(\{\w+="[^"\\]*"(,\w+="[^"\\]*")*\})? \d+(\.\d+)?$/;
    fail("a line of Prometheus: $_");
}

my $json = $n->status;

ok($json->{healthy}, 'JSON: healthy');
is($json->{stores}[0]{name}, 'main', 'the store');
is($json->{issuers}[0]{name}, 'demo', 'the issuer');
like($n->http('GET', '/status')->{headers}{'content-type'},
     qr{^application/json}, 'the type');
is($n->http('HEAD', '/status')->{status}, 200, 'HEAD');
is($n->http('POST', '/status')->{status}, 405, 'POST is refused');


# conditions that Redis does not keep

$t->redis_cli('config', 'set', 'maxmemory-policy', 'allkeys-lru');
$t->redis_cli('config', 'set', 'appendonly', 'no');
ok(wait_until(90, sub { metric('pki_store_evicts{store="main"}')
                        && !metric('pki_store_append_only{store="main"}') }),
   'eviction and no append-only file are told');


# the probe

is($n->http('GET', '/probe')->{status}, 200, 'probe: 200');
$t->redis_stop;
ok(wait_until(10, sub { $n->http('GET', '/probe')->{status} == 503 }),
   'without Redis: 503');
ok(!$n->status->{healthy}, 'JSON: not healthy');
is(metric('pki_store_up{store="main"}'), 0, 'the store is down');
$t->redis;
ok(wait_until(15, sub { $n->http('GET', '/probe')->{status} == 200 }),
   'with Redis again: 200');

$t->done;
