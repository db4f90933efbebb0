# Bearer tokens of identity providers: who is let in and with which roles,
# what is refused, and how key sets are fetched, change and are kept.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::JWT;

my $t = PKI::Test->new;
my $dir = $t->{dir};
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two);
my $elsewhere = $t->cert($second, 'elsewhere');
my $file_token = $t->token('reader', 'read');

my $tenant = '11111111-2222-4333-8444-555555555555';
my $app = '8e6d2ac7-0000-4000-8000-000000000001';
my $v1 = "https://sts.windows.net/$tenant/";
my $v2 = "https://login.microsoftonline.com/$tenant/v2.0";

my %key = (
    rsa  => PKI::JWT->new('rsa', 'rsa'),
    p256 => PKI::JWT->new('p256', 'p256', alg => 'ES256'),
    p384 => PKI::JWT->new('p384', 'p384'),
);
my $other = PKI::JWT->new('p256', 'other');
my $new = PKI::JWT->new('p256', 'new');

spew("$dir/set.json", jwk_set(@key{qw(rsa p256 p384)}));
spew("$dir/other.json", jwk_set($other));
mkdir "$dir/www";

$t->redis;
$t->record('demo', values %cert);
$t->record('second', $elsewhere);

my $port = free_port();
my %options = (issuers => {
    demo => "certificate $ca; key $dir/ca.key;",
    second => "certificate $second; key $dir/second.key;",
}, issuer => 'responder auto valid=30d;', port => $port, workers => 2,
   http => <<"END", server => <<"END");
    pki_jwt entra {
        issuer $v1 $v2;
        audience api://$app $app;
        keys file $dir/set.json;
    }
    pki_jwt other {
        issuer https://id.test/;
        audience pki;
        keys file $dir/other.json;
        roles_claim realm_access.roles;
        role writers manage issuers=demo;
        role readers read issuers=second;
        role both read,manage issuers=second,demo;
        skew 0;
    }
    pki_jwt scopes {
        issuer https://scopes.test/;
        audience pki;
        keys file $dir/other.json;
        roles_claim scp;
        role pki.read read;
    }
    pki_jwt fetched {
        issuer https://fetched.test/;
        audience pki;
        keys http://127.0.0.1:$port/www/fetched.json;
        plain_http on;
        role r manage;
        refresh 1h;
        pause 1s;
    }
    pki_jwt seldom {
        issuer https://seldom.test/;
        audience pki;
        keys http://127.0.0.1:$port/www/seldom.json;
        plain_http on;
        role r read;
        pause 1h;
    }
    pki_jwt often {
        issuer https://often.test/;
        audience pki;
        keys http://127.0.0.1:$port/www/often.json;
        plain_http on;
        role r read;
        refresh 1s;
        pause 1s;
    }
END
        large_client_header_buffers 4 32k;

        location /entra/ { pki_api; pki_api_jwt entra; }
        location /all/ {
            pki_api; pki_api_tokens $dir/tokens;
            pki_api_jwt entra other scopes;
        }
        location /fetched/ { pki_api; pki_api_jwt fetched entra; }
        location /seldom/ { pki_api; pki_api_jwt seldom; }
        location /often/ { pki_api; pki_api_jwt often; }
        location /www/ { root $dir; access_log $dir/www.log; }
END

# what seldom.test has is there from the first, the others' come later

spew("$dir/www/seldom.json", jwk_set($other));

my $n = $t->nginx(%options);

ok($n->ready, 'ready');

my $serial = serial_of($cert{one});

sub call {
    my ($where, $token, $method, $of, @more) = @_;

    my $uri = ($method // 'GET') eq 'GET' ? 'certificates' : 'revoke';
    my $r = $n->http($method // 'GET', "/$where/manage/$uri/"
                     . ($of ? serial_of($of) : $serial),
                     headers => { Authorization => "Bearer $token" }, @more);

    $r->{message} = (eval { JSON::PP::decode_json($r->{body}) }
                     || {})->{errorMessage} // '';
    return $r;
}

sub claims {
    my (%more) = @_;
    return { iss => $v2, aud => $app, exp => time + 600, nbf => time - 10,
             iat => time - 10, sub => 'subject', roles => ['Manage.All'],
             %more };
}


# who is let in

for (['RS256', 'rsa'], ['RS384', 'rsa'], ['RS512', 'rsa'], ['PS256', 'rsa'],
     ['ES256', 'p256'], ['ES384', 'p384'])
{
    my ($alg, $key) = @$_;

    is(call('entra', $key{$key}->token(claims(), alg => $alg))->{status}, 200,
       $alg);
}

for my $iss ($v1, $v2) {
    for my $aud ($app, "api://$app", ['x', $app]) {
        is(call('entra', $key{rsa}->token(claims(iss => $iss, aud => $aud)))
           ->{status}, 200, "of $iss");
    }
}

for (['Manage.All', 200], ['CSR.Request.Db', 403], ['CSR.SelfService', 403],
     ['read', 403], ['manage.all', 403])
{
    my ($role, $status) = @$_;
    my $r = call('entra', $key{rsa}->token(claims(roles => [$role])));

    is($r->{status}, $status, "the role $role: $status");
    like($r->{headers}{'www-authenticate'}, qr/insufficient_scope/, 'is told')
        if $status == 403;
}

is(call('entra', $key{rsa}->token(claims(upn => 'alice@pki.test',
                                         appid => 'client',
                                         roles => ['x', 'Manage.All'])),
        'PATCH', $cert{two}, body => '{"revocationReason":6}')->{status}, 200,
   'Manage.All revokes');
is(call('entra', $key{rsa}->token(claims(azp => 'the-app')), 'DELETE',
        $cert{two})->{status}, 200, 'and releases');

my $audit = $t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+');
like($audit, qr/^alice\@pki\.test$/m, 'a user is in the audit stream');
like($audit, qr/^the-app$/m, 'so is an application');


# what is refused, and why

my $soon = time + 600;
my $pem = $key{rsa}->public_pem;

for (['an expired one', claims(exp => time - 61), 'the token has expired'],
     ['one of tomorrow', claims(nbf => time + 90),
      'the token is not valid yet'],
     ['another issuer', claims(iss => "$v2/"),
      'the token\'s "iss" is not one that is trusted'],
     ['another audience', claims(aud => 'api://other'),
      'the token\'s "aud" is not this service'],
     ['one for ever', { %{ claims() }, exp => undef },
      'the token has no "exp"'],
     ['none', claims(), 'the token\'s header: "alg" is not one that is '
      . 'accepted', alg => 'none'],
     ['an HMAC with the public key', claims(), 'the token\'s header: "alg" is '
      . 'not one that is accepted', header => { alg => 'HS256' },
      secret => $pem],
     ['another key\'s', claims(), 'the token\'s "alg" does not fit its key',
      header => { kid => 'p384' }],
     ['a key of its own', claims(), 'the token\'s key is not in the key set',
      header => { kid => 'mine', jwk => $other->jwk }],
     ['a critical thing', claims(), 'the token\'s header: "crit" is not known '
      . 'here', header => { crit => ['b64'], b64 => JSON::PP::false() }],
     ['a logout token', claims(), 'the token\'s header: "typ" is not that of '
      . 'an access token', header => { typ => 'logout+jwt' }],
     ['one without a name', { %{ claims() }, sub => undef },
      'it names no caller'],
     ['one that is too long', claims(groups => ['x' x 17000]),
      'the token is longer than 16384 octets'])
{
    my ($what, $claims, $why, %o) = @$_;
    my $r = call('entra', $key{rsa}->token($claims, %o));

    is($r->{status}, 401, $what);
    is($r->{message}, "The token is not valid: $why.", 'is told');
    is($r->{headers}{'www-authenticate'},
       'Bearer realm="pki", error="invalid_token"', 'with a challenge');
}

my $token = $key{p256}->token(claims());
my $half = substr $token, 0, -10;

is(call('entra', $half)->{status}, 401, 'half a token');
is(call('entra', "$token.$token")->{status}, 401, 'two');
is(call('entra', $token)->{status}, 200, 'one');
is(call('entra', $file_token)->{status}, 401, 'a token of no file');
unlike($n->log, qr/\Q$half\E/, 'no token is in the log');
like($n->log, qr/token refused by pki_jwt "entra": the token has expired/,
     'but why it was refused');


# several providers, and a token file

is(call('all', $file_token)->{status}, 200, 'a token of the file');
is(call('all', $token)->{status}, 200, 'a token of the first');
is(call('all', "$file_token.x")->{status}, 401, 'neither');

my @other = (iss => 'https://id.test/', aud => 'pki');

for (['writers', 200, 404, 200, 404], ['readers', 404, 200, 403, 403],
     ['both', 200, 200, 200, 200], ['writers readers', 200, 200, 200, 404],
     ['nobody', 403, 403, 403, 403])
{
    my ($roles, @status) = @$_;
    my $token = $other->token(claims(@other, realm_access =>
                                     { roles => [split / /, $roles] }));
    my @hold = (body => '{"revocationReason":6}');

    is(call('all', $token)->{status}, $status[0], "$roles: demo's");
    is(call('all', $token, 'GET', $elsewhere)->{status}, $status[1],
       "$roles: second's");
    is(call('all', $token, 'PATCH', $cert{two}, @hold)->{status}, $status[2],
       "$roles: revoking demo's");
    is(call('all', $token, 'PATCH', $elsewhere, @hold)->{status}, $status[3],
       "$roles: revoking second's");
}

is(call('all', $other->token(claims(@other, exp => time)))->{message},
   'The token is not valid: the token has expired.',
   'the one whose token it is tells why');

my @scopes = (iss => 'https://scopes.test/', aud => 'pki');

is(call('all', $other->token(claims(@scopes, scp => 'openid pki.read')))
   ->{status}, 200, 'scopes');
is(call('all', $other->token(claims(@scopes, scp => 'openid')))->{status},
   403, 'none that counts');


# key sets that are fetched

my @fetched = (iss => 'https://fetched.test/', aud => 'pki', roles => ['r']);

sub soon {
    my ($where, $token, $status, $what) = @_;

    # both workers, several times
    ok(wait_until(20, sub {
        !grep { call($where, $token)->{status} != $status } 1 .. 8
    }), $what) or diag(call($where, $token)->{body});
}

sub put {
    my ($name, $text) = @_;

    spew("$dir/www/$name.new", $text);
    rename "$dir/www/$name.new", "$dir/www/$name.json" or die;
}

sub fetches {
    my ($name) = @_;
    my $log = -e "$dir/www.log" ? slurp("$dir/www.log") : '';
    return scalar(() = $log =~ /GET \/www\/$name\.json/g);
}

my $r = call('fetched', $other->token(claims(@fetched)));
is($r->{status}, 503, 'no keys yet');
is($r->{headers}{'retry-after'}, 5, 'Retry-After');
is($r->{message}, 'The keys to check the token with are not there yet.',
   'is told');
is(call('fetched', $token)->{status}, 200, 'others are not kept waiting');

put('fetched', jwk_set($other));
soon('fetched', $other->token(claims(@fetched)), 200, 'keys have come');

is(call('fetched', $new->token(claims(@fetched)))->{status}, 401,
   'a key that is not there');

put('fetched', jwk_set($other, $new));
soon('fetched', $new->token(claims(@fetched)), 200, 'a new key is fetched');
is(call('fetched', $other->token(claims(@fetched)))->{status}, 200,
   'the old one is good still');

put('fetched', jwk_set($new));
call('fetched', $key{rsa}->token(claims(@fetched)));
soon('fetched', $other->token(claims(@fetched)), 401,
     'until it is not in the set any more');
is(call('fetched', $new->token(claims(@fetched)))->{status}, 200,
   'the new one stays');


# a broken text does not replace a good one, nor does a failure

$t->allow(qr/pki.*keys.*(?:often|fetched)/i);

my $claims = claims(iss => 'https://often.test/', aud => 'pki',
                    roles => ['r']);
my $often = $other->token($claims);
my $unknown = $key{rsa}->token($claims);

soon('often', $often, 503, 'none yet');
put('often', jwk_set($other));
soon('often', $often, 200, 'a set that is fetched again and again');

for my $broken ('<html>', '{"keys":[]}', '{"keys":', jwk_set($other) . 'x') {
    put('often', $broken);

    my $before = fetches('often');

    # after a failure only who misses a key makes it go fast
    ok(wait_until(20, sub {
        call('often', $unknown);
        fetches('often') > $before + 1;
    }), 'something broken was fetched');

    is(call('often', $often)->{status}, 200, 'the good one is kept');
}

put('often', jwk_set($new));
soon('often', $often, 401, 'keys that are gone are gone');


# nobody makes us fetch more often than once in a pause

my @seldom = (iss => 'https://seldom.test/', aud => 'pki', roles => ['r']);

soon('seldom', $other->token(claims(@seldom)), 200, 'fetched at the start');

my $before = fetches('seldom');

for my $i (1 .. 30) {
    my $r = call('seldom', $new->token(claims(@seldom),
                                       header => { kid => "guess$i" }));
    is($r->{status}, 401, "a guess") if $i == 1;
}

sleep 2.5;
cmp_ok(fetches('seldom') - $before, '<=', 1, '30 guesses, one fetch');


# a reload keeps what was fetched

unlink "$dir/www/fetched.json";
ok($n->reload, 'reload, while the URL has nothing');
is(call('fetched', $new->token(claims(@fetched)))->{status}, 200,
   'the keys are there');

$t->allow(qr/worker process \d+ exited on signal 9/);
kill 'KILL', $n->workers;
ok(wait_until(10, sub {
    (eval { call('fetched', $new->token(claims(@fetched)))->{status} } // 0)
        == 200
}), 'also when all workers are killed');


# wrong values

my $jwt = 'issuer a; audience b;';
my $set = "keys file $dir/set.json;";

spew("$dir/none.json", '{"keys":[]}');
$t->allow(qr/\[emerg\]/);

for (["pki_jwt 'a b' { $jwt $set }", qr/invalid name "a b"/],
     ["pki_jwt a { $jwt $set } pki_jwt a { $jwt $set }", qr/"a" is duplicate/],
     ["pki_jwt a { audience b; $set }", qr/"a": "issuer" is missing/],
     ["pki_jwt a { issuer a; $set }", qr/"a": "audience" is missing/],
     ["pki_jwt a { $jwt }", qr/"a": "keys" is missing/],
     ["pki_jwt a { issuer ''; }", qr/"issuer" directive has an empty value/],
     ["pki_jwt a { issuer 1 2 3 4 5 6 7 8 9; }", qr/more than 8 .*"issuer"/],
     ["pki_jwt a { audience 1 2 3 4 5 6 7 8 9; }", qr/more than 8/],
     ["pki_jwt a { $jwt keys http://id.test/; }", qr/"keys" must be https/],
     ["pki_jwt a { $jwt keys http://127.0.0.1/; }", qr/"keys" must be https/],
     ["pki_jwt a { $jwt keys files x; }", qr/invalid value "files" in "keys"/],
     ["pki_jwt a { $jwt $set $set }", qr/"keys" directive is duplicate/],
     ["pki_jwt a { $jwt keys file $dir/gone; }", qr/gone" failed/],
     ["pki_jwt a { $jwt keys file $dir/none.json; }",
      qr/none\.json": the key set is not valid: none of its keys/],
     ["pki_jwt a { $jwt $set plain_http on; }", qr/"plain_http" is for keys/],
     ["pki_jwt a { $jwt $set ca_file x; }", qr/"ca_file" is for keys/],
     ["pki_jwt a { $jwt $set proxy x; }", qr/"proxy" is for keys/],
     ["pki_jwt a { $jwt $set plain_http maybe; }", qr/"maybe" in "plain_http/],
     ["pki_jwt a { $jwt $set role x emperor; }", qr/roles "emperor" in "role"/],
     ["pki_jwt a { $jwt $set role x read y; }", qr/parameter "y" in "role"/],
     ["pki_jwt a { $jwt $set roles_claim; }", qr/arguments in "roles_claim"/],
     ["pki_jwt a { $jwt $set skew x; }", qr/"skew" directive invalid value/],
     ["pki_jwt a { $jwt $set skew 1h; }", qr/"skew" must be at most 600/],
     ["pki_jwt a { $jwt $set refresh 0; }", qr/"refresh" must not be 0/],
     ["pki_jwt a { $jwt $set pause 0; }", qr/"pause" must not be 0/])
{
    my ($text, $want) = @$_;
    my $wrong = $t->nginx(start => 0, name => 'wrong', http => $text);

    my ($rc, $out) = $wrong->check;
    isnt($rc, 0, "wrong: $text");
    like($out, $want, 'is told');
}

$t->done;
