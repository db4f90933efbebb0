# Webhooks: hints that make the poller look at once, while its interval is an
# hour.  A subscription in Graph from its handshake to its end, notifications
# true, doubled, many and forged; webhooks of Jamf.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $secret = 'a secret of hooks: 1+1=2 & "more"';
my $port = free_port;
my $log;

spew("$t->{dir}/hook.secret", "$secret\n");

my $hook = "hook_secret_file $t->{dir}/hook.secret; interval 1h;";
my $d = PKI::Directory->new($t,
    entra => { text => "$hook resources users; risk high;"
                       . "hook_url http://127.0.0.1:$port/hook/entra;" },
    jamf => { text => "$hook unmanaged on;" },
    push => { name => 'other', text => 'resources jamf-devices; '
                       . "hook_secret_file $t->{dir}/hook.secret;" },
    nginx => { port => $port, server => <<'END' });
        location = /hook/entra { pki_hook entra; }
        location = /hook/jamf { pki_hook jamf; }
END
my $n = $d->{nginx};
my ($g, $j) = @{ $d->{sim} }{qw(graph jamf)};


# one call of the hook, as anybody may make it

sub hook {
    my ($body, %o) = @_;

    return $n->http($o{method} || 'POST', $o{uri} || '/hook/entra',
                    body => $body, headers => {
                        'Content-Type' => 'application/json',
                        %{ $o{headers} || {} } });
}

# how the simulator's n-th call was answered, when all are

sub answered {
    my ($sim, $count) = @_;

    my @sent;

    wait_until(10, sub { (@sent = $sim->sent) >= $count });

    return map { $_->{status} } @sent[$count ? $#sent - $count + 1 : 0
                                      .. $#sent];
}

sub settled { sleep 0.3 }

sub sync {
    my ($name) = @_;

    my $r = $n->http('POST', "/api/directories/$name/sync",
                     headers => { Authorization => "Bearer $d->{token}" });

    die "sync: $r->{status} $r->{body}\n" if $r->{status} >= 300;
}

sub lines { return scalar(() = $n->log =~ /$_[0]/g) }


# the handshake, in the middle of which nginx must answer

my ($s);

ok($n->ready, 'ready');
ok(wait_until(15, sub { ($s) = @{ $g->get('subscription') } }),
   'there is a subscription');
is($s->{resource}, 'users', 'of users');
is($s->{clientState}, $secret, 'it knows the secret');
is($s->{notificationUrl}, $n->url('/hook/entra'), 'where to');
is($s->{lifecycleNotificationUrl}, $n->url('/hook/entra'),
   'where to with events of its life');
is_deeply([map { $_->{kind} } $g->sent], [qw(validation validation)],
          'both addresses were validated');
unlike($n->log, qr/\Q$secret\E/, 'the secret is in no log');


# changes are seen at once

my @users = $g->add_all(map { { kind => 'user' } } 1 .. 12);

@users = @{ $users[0] } if ref $users[0] eq 'ARRAY';
$_ = $d->cert('user', User => $_->{id}) for my @certs = @users[0 .. 2];

$d->becomes($certs[0], 'good', 'a new user');

sub quick {
    my ($what, @changes) = @_;

    my @took;

    while (my ($change, $status) = splice @changes, 0, 2) {
        my $start = time;

        $change->();
        $d->becomes($certs[0], $status, $what);
        push @took, time - $start;
        settled();
    }

    @took = sort { $a <=> $b } @took;
    cmp_ok($took[@took / 2], '<', 0.5, sprintf '%s: half of them within '
           . '%.0f ms, all within %.0f', $what, 1000 * $took[@took / 2],
           1000 * $took[-1]);
}

quick('a user by hook', map {
    (sub { $g->change('user', $users[0]{id},
                      accountEnabled => PKI::Sim::false) }, 'hold',
     sub { $g->change('user', $users[0]{id},
                      accountEnabled => PKI::Sim::true) }, 'good')
} 1 .. 3);

$d->becomes($certs[1], 'good', 'another');
$g->delete('user', $users[1]{id});
cmp_ok($d->becomes($certs[1], 'revoked', 'deleted'), '<', 2,
       'a deletion is not for the next hour');


# bursts: many times the same is once; many others are a round

settled();
$g->log_clear;
my $before = $g->sent;
$g->notify(id => $users[0]{id}, burst => 40, items => 5);
is(join(' ', answered($g, $before + 40) ? 'all' : ''), 'all', 'answered');
is_deeply([grep { $_ != 204 } answered($g, 40)], [], 'each of 40 with 204');
settled();

my $asked = () = $g->log('/users/' . $users[0]{id});

cmp_ok($asked, '>=', 1, 'looked up');
cmp_ok($asked, '<=', 20, "40 notifications of 5: $asked lookups");
is(scalar(() = $g->log('/users/delta')), 0, 'and no round');

$g->log_clear;
hook(JSON::PP::encode_json({ value => [ map { {
    clientState => $secret, resourceData => { id => $_->{id} } } } @users ] }));
ok(wait_until(5, sub { $g->log('/users/delta') }),
   'a dozen in one notification are a round');


# forged

sleep 1.1;
$g->log_clear;
$before = $g->sent;

my ($start, $lines) = (time, lines('the secret is wrong'));

$g->notify(id => $users[0]{id}, burst => 30, clientState => "${secret}x");
answered($g, $before + 30);
is_deeply([grep { $_ != 403 } answered($g, 30)], [], 'forged: 403');

my $seconds = int(time) - int($start) + 1;

cmp_ok(lines('the secret is wrong') - $lines, '<=', $seconds,
       'one line a second');
cmp_ok(lines('the secret is wrong') - $lines, '>=', 1, 'but one');

for (undef, JSON::PP::null(), 1, '', 'x' x 1000, [$secret], { a => $secret })
{
    my %item = (resourceData => { id => $users[0]{id} });

    $item{clientState} = $_ if defined $_;
    is(hook(JSON::PP::encode_json({ value => [\%item] }))->{status}, 403,
       'a clientState that is none');
}

is(hook(JSON::PP::encode_json({ value => [
    { clientState => 'x', resourceData => { id => $users[1]{id} } },
    { clientState => $secret, resourceData => { id => $users[0]{id} } } ] }))
   ->{status}, 204, 'one of two is true');
settled();
is_deeply([ map { $_->{target} =~ m{/users/([^?]+)} }
            $g->log('/users/') ], [$users[0]{id}],
          'only what the true one names was asked for');
unlike($n->log, qr/\Q$secret\E/, 'the secret is in no log');


# garbage

$g->log_clear;

my @garbage = (
    ['', 400], ['{', 400], ['[]', 400], ['null', 400], ["\0" x 10, 400],
    ['{"value":{}}', 400], ['{"value":[}', 400], ['<xml/>', 400],
    ['[' x 100000, 400], ['{"value":[' . ('{"a":' x 5000), 400],
    ['{"value":[{"clientState":"' . ('x' x 900000) . '"}]}', 403],
    ['x' x (1024 * 1024 + 1), 413],
    ['{"value":[1,null,"x",[],{}]}', 400], ['{"value":[{}]}', 403],
);

for (@garbage) {
    my $r = hook($_->[0]);

    is($r->{status}, $_->[1], 'garbage: ' . substr($_->[0], 0, 20) =~
       s/[^ -~]/./gr);
}

is(hook('{"value":[]}')->{status}, 204, 'an empty list');
is(hook(JSON::PP::encode_json({ value => [ map { {
    clientState => $secret, resourceData => { id => $_ } } }
    '../../x', '%2e', '', 'x' x 5000 ] }))->{status}, 204,
   'ids that are none: a round at most');
is(hook(undef, method => $_)->{status}, 405, "$_: 405")
    for qw(GET PUT DELETE);
settled();
is_deeply([map { $_->{target} } $g->log('\.\.|%2e|xxx')], [],
          'nothing of it was asked for');


# the echo: strangers can have it

sub echo {
    my ($query, %o) = @_;
    return hook('', uri => "/hook/entra?$query", %o);
}

my $r = echo('validationToken=%3Cscript%3Ealert(1)%3C%2Fscript%3E');

is($r->{status}, 200, 'a token is echoed');
is($r->{body}, '<script>alert(1)</script>', 'unescaped');
is($r->{headers}{'content-type'}, 'text/plain', 'as plain text');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'and nothing else');
is(echo('a=b&validationToken=a+b%2Bc%20d%25%26&c=d')->{body}, 'a b+c d%&',
   'spaces of both kinds');
is(echo('validationToken=' . 'x' x 4096)->{body}, 'x' x 4096, '4096 octets');
is(echo('validationToken=' . $_->[0])->{status}, 400, $_->[1])
    for ['', 'empty'], ['x' x 4097, 'long'], ['a%0d%0aSet-Cookie:x', 'CR LF'],
        ['%00', 'NUL'], ['%7f', 'DEL'], ['%c3%a4', 'not ASCII'];
is(echo('validationToken=x', method => 'GET')->{status}, 405, 'GET');
is(echo('validationtoken2=x')->{status}, 400, 'no token: no notification');


# Redis does not answer: no 2xx

$t->redis_signal('STOP');
is(hook(JSON::PP::encode_json({ value => [ { clientState => $secret,
        resourceData => { id => $users[0]{id} } } ] }))->{status}, 503,
   'Redis hangs: 503');
$t->redis_signal('CONT');
ok($n->ready, 'ready again');
$d->becomes($certs[0], 'good', 'Redis is back');


# the life of the subscription

sub calls {
    my ($method) = @_;
    return scalar(grep { $_->{method} eq $method } $g->log('/subscriptions'));
}

$g->log_clear;
sleep 1.1;
$g->notify(lifecycle => 'reauthorizationRequired');
ok(wait_until(5, sub { calls('PATCH') }), 'to be authorized again: renewed');
is(calls('POST'), 0, 'not made anew');

$g->delete('subscription', $s->{id}, hard => 1);
sleep 1.1;
hook(JSON::PP::encode_json({ value => [ { clientState => $secret,
    lifecycleEvent => 'subscriptionRemoved', subscriptionId => $s->{id} } ] }));

my $s2;

ok(wait_until(5, sub { ($s2) = @{ $g->get('subscription') } }),
   'removed: made anew');
isnt($s2->{id}, $s->{id}, 'another');

$g->log_clear;
$g->notify(lifecycle => 'missed');
ok(wait_until(5, sub { $g->log('/users/delta') }), 'missed some: a round');

# it ends sooner than it was wanted to, and nobody has renewed it

my @end = gmtime(time + 3);

$g->log_clear;
$g->fault({ path => '/subscriptions', method => 'PATCH', do => { mangle => [
    { set => '/expirationDateTime',
      to => sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $end[5] + 1900,
                    $end[4] + 1, @end[3, 2, 1, 0] } ] } });
sleep 1.1;
sync('entra');
ok(wait_until(5, sub { calls('PATCH') }), 'renewed, but only for a moment');
sleep 3;
sync('entra');
ok(wait_until(5, sub { calls('POST') }), 'ended: made anew');

$d->becomes($certs[0], 'good', 'still good');
quick('a user by hook, as before',
      sub { $g->change('user', $users[0]{id},
                       accountEnabled => PKI::Sim::false) }, 'hold',
      sub { $g->change('user', $users[0]{id},
                       accountEnabled => PKI::Sim::true) }, 'good');


# Jamf: Bearer and Basic

my $c = $j->add('computer', managed => PKI::Sim::true);

$certs[0] = $d->cert('mac', JamfComputer => $c->{id});
$d->becomes($certs[0], 'good', 'a computer');

my $basic = encode_base64("anybody:$secret", '');

for (["Bearer $secret", 204], ["Basic $basic", 204], ["bearer $secret", 204],
     ['Bearer x', 403], ['Basic ' . encode_base64("$secret:$secret.", ''), 403], ['Basic !', 403],
     ["Basic " . encode_base64($secret, ''), 403], ["Digest $secret", 403],
     ['', 403])
{
    my ($value, $status) = @$_;

    is(hook('{"webhook":{"webhookEvent":"JSSStartup"},"event":{}}',
            uri => '/hook/jamf', headers => { Authorization => $value })
       ->{status}, $status, substr $value, 0, 10);
}

is(hook('{', uri => '/hook/jamf',
        headers => { Authorization => "Bearer $secret" })->{status}, 400,
   'garbage');
$j->add('webhook', url => $n->url('/hook/jamf'),
        header => { name => 'Authorization', value => "Basic $basic" });

settled();
quick('a computer by hook',
      sub { $j->change('computer', $c->{id}, managed => PKI::Sim::false) },
      'hold',
      sub { $j->change('computer', $c->{id}, managed => PKI::Sim::true) },
      'good');

is(hook('', uri => '/hook/none')->{status}, 404, 'no such hook');


# nobody takes what is wanted, until there is no room for more

my $body = JSON::PP::encode_json({ value => [ { clientState => $secret,
    resourceData => { id => $users[0]{id} } } ] });

$n = $t->nginx(directories => { idle => ['entra', "poll off; resources users;"
                   . "hook_secret_file $t->{dir}/hook.secret;"] },
               server => 'location = /hook/entra { pki_hook idle; }');
ok($n->ready, 'ready');
is(hook($body)->{status}, 204, 'wanted');
is($t->redis_cli('smembers', 'pki:{idle}:wanted'), "user/$users[0]{id}",
   'and kept');
$t->redis_cli('eval', 'for i = 1, 1000 do redis.call("SADD", KEYS[1], i) end',
              1, 'pki:{idle}:wanted');
is(hook($body)->{status}, 204, 'wanted already');
$t->redis_cli('srem', 'pki:{idle}:wanted', "user/$users[0]{id}");
is(hook($body)->{status}, 503, 'no room: 503');

$t->done;
