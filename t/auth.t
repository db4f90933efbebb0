# Who may call: roles and issuers of a token file, variables (client
# certificates, auth_request, a map), plain HTTP, pages of other origins.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $dir = $t->{dir};
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $clients = $t->ca('clients');
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two three);
my $elsewhere = $t->cert($second, 'elsewhere');
my $server = $t->cert($clients, 'localhost', serial => '01', key => 'server',
                      ext => "subjectAltName=DNS:localhost\n");
my $alice = $t->cert($clients, 'alice', serial => '02', key => 'alice');
my $mallory = $t->cert($clients, 'mallory', serial => '03', key => 'mallory');

my %token = map { $_ => $t->token($_, $_) }
            qw(read manage enroll self-service admin);
$token{both} = $t->token('both', 'enroll,read');

sub scoped {
    my ($name, $roles, $issuers) = @_;

    chomp(my $token = run_ok($t->{admin}, 'token', $name, $roles, '--issuer',
                             $issuers, '--file', "$dir/tokens"));
    return $token;
}

$token{demo} = scoped('demo-only', 'manage', 'demo');
$token{two} = scoped('of-both', 'manage', 'second,demo');
$token{gone} = scoped('of-none', 'manage', 'gone');

spew("$dir/header.conf", <<'END' =~ s/WHO/$dir\/who.sock/r);
map $http_x_role $role { default $http_x_role; }
map $http_x_issuers $issuers { default $http_x_issuers; "" "*"; none ""; }
map "$ssl_client_verify $ssl_client_s_dn" $mtls {
    default "";
    "SUCCESS CN=alice" manage;
}
server {
    listen unix:WHO;
    add_header X-Role manage;
    add_header X-Who "bob by key";
    location / {
        if ($http_x_key != "sesame") { return 401; }
        return 204;
    }
}
END

$t->redis;
$t->record('demo', values %cert);
$t->record('second', $elsewhere);

my $tls = free_port();
my $tokens = "pki_api_tokens $dir/tokens;";
my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $dir/ca.key;",
    second => "certificate $second; key $dir/second.key;",
}, issuer => 'responder auto valid=30d;', http => "include $dir/header.conf;"
           . 'pki_profile profile { issuer demo; bind static; }',
   server => <<"END");
        listen 127.0.0.1:$tls ssl;
        listen unix:$dir/api.sock;
        ssl_certificate $server;
        ssl_certificate_key $dir/server.key;
        ssl_client_certificate $clients;
        ssl_verify_client optional;

        location /mapped/ {
            pki_api;
            pki_api_role \$role caller=\$http_x_caller issuers=\$issuers;
        }
        location /mtls/ {
            pki_api;
            pki_api_role \$mtls caller=\$ssl_client_s_dn;
        }
        location = /who {
            internal;
            proxy_pass http://unix:$dir/who.sock;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        location /asked/ {
            auth_request /who;
            auth_request_set \$asked \$upstream_http_x_role;
            auth_request_set \$asker \$upstream_http_x_who;
            pki_api;
            pki_api_role \$asked caller=\$asker;
        }
        location /either/ {
            pki_api; $tokens
            pki_api_role \$role;
        }
        location = /inner {
            auth_request /either/directories;
            root $dir; try_files /header.conf =404;
        }
        location = /inner-role {
            auth_request /mapped/directories;
            root $dir; try_files /header.conf =404;
        }
        location = /inner-est {
            auth_request /est/simpleenroll;
            root $dir; try_files /header.conf =404;
        }
        location = /inner-open {
            auth_request /est/cacerts;
            root $dir; try_files /header.conf =404;
        }
        location /any/ {
            satisfy any; deny all;
            pki_api; $tokens
            pki_api_role \$role;
        }
        location /far/ {
            set_real_ip_from 127.0.0.1;
            real_ip_header X-Client;
            pki_api; $tokens
            pki_api_role \$role;
        }
        location /trusted/ {
            set_real_ip_from 127.0.0.1;
            real_ip_header X-Client;
            pki_api; $tokens
            pki_api_plain_http on;
        }
        location /est/ {
            set_real_ip_from 127.0.0.1;
            real_ip_header X-Client;
            pki_est; pki_enroll profile; $tokens
            pki_api_cors https://ui.test;
        }
        location /page/ {
            pki_api; $tokens
            pki_api_role \$role;
            pki_api_cors https://ui.test https://ui.test:8443;
            location /page/off/ {
                pki_api; $tokens
                pki_api_cors off;
            }
        }
END

ok($n->ready, 'ready');

my $serial = serial_of($cert{one});
my $get = "manage/certificates/$serial";
my $patch = 'manage/revoke/' . serial_of($cert{two});
my @hold = (body => '{"revocationReason":6}');

sub call {
    my ($method, $uri, $headers, @more) = @_;
    return $n->http($method, $uri, headers => $headers, @more);
}

sub bearer { return { Authorization => "Bearer $token{+shift}" } }

sub message {
    my ($r) = @_;
    my $json = eval { JSON::PP::decode_json($r->{body}) } || {};
    return $json->{errorMessage} // '';
}


# roles of a token file

for (['read', 200, 403], ['manage', 200, 200], ['admin', 200, 200],
     ['enroll', 403, 403], ['self-service', 403, 403], ['both', 200, 403])
{
    my ($role, $reads, $writes) = @$_;
    my $r = call('GET', "/api/$get", bearer($role));

    is($r->{status}, $reads, "$role reads: $reads");
    is(message($r), "The caller's role does not allow this.", 'is told')
        if $reads == 403;

    is(call('PATCH', "/api/$patch", bearer($role), @hold)->{status}, $writes,
       "$role revokes: $writes");
}

for (['demo', 200, 404], ['two', 200, 200], ['gone', 404, 404]) {
    my ($who, $first, $other) = @$_;

    is(call('GET', "/api/$get", bearer($who))->{status}, $first,
       "$who: a certificate of the first issuer");
    is(call('GET', '/api/manage/certificates/' . serial_of($elsewhere),
            bearer($who))->{status}, $other, "$who: one of the second");
}

is(call('PATCH', '/api/manage/revoke/' . serial_of($elsewhere),
        bearer('demo'), @hold)->{status}, 404, 'nor can it be revoked');
is($n->ask($second, $elsewhere)->{cert}, 'good', 'which is still good');


# a variable

for (['', 401], ['read', 200], ['manage', 200], ['enroll', 403],
     ['enroll, read', 200], ['self-service,admin', 200])
{
    my ($role, $status) = @$_;

    is(call('GET', "/mapped/$get", { 'X-Role' => $role })->{status}, $status,
       "the role \"$role\": $status");
}

my $r = call('GET', "/mapped/$get", {});
is($r->{status}, 401, 'no role');
is($r->{headers}{'www-authenticate'}, 'Bearer realm="pki"', 'is asked for');

for my $role ('emperor', 'read,', 'read,emperor', 'Read', 'read manage') {
    $r = call('GET', "/mapped/$get", { 'X-Role' => $role });

    is($r->{status}, 403, "the role \"$role\"");
    like($n->log, qr/\[warn\].*"pki_api_role" is "\Q$role\E"/, 'is logged');
}

for (['demo', 200], ['second', 404], ['second, demo', 200], ['none', 404],
     ['*', 200])
{
    my ($issuers, $status) = @$_;

    is(call('GET', "/mapped/$get", { 'X-Role' => 'read',
                                     'X-Issuers' => $issuers })->{status},
       $status, "the issuers \"$issuers\": $status");
}

is(call('PATCH', "/mapped/manage/revoke/" . serial_of($cert{three}),
        { 'X-Role' => 'manage', 'X-Caller' => "carol\tthe first" },
        @hold)->{status}, 200, 'a caller');
like($t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+'),
     qr/carol\?the first/, 'is in the audit stream, made fit for a line');

is(call('GET', "/mapped/$get", { 'X-Role' => 'read',
                                 %{ bearer('manage') } })->{status}, 200,
   'where tokens are not known, none is looked at');


# another origin's page cannot use what a browser adds by itself

for (['https://evil.test', 403], ['null', 403], ['http://localhost', 200],
     ['https://localhost', 200], ['https://localhost.evil.test', 403])
{
    my ($origin, $status) = @$_;

    is(call('GET', "/mapped/$get", { 'X-Role' => 'read',
                                     Origin => $origin })->{status}, $status,
       "called from $origin: $status");
}

is(call('GET', "/api/$get", { %{ bearer('read') },
                              Origin => 'https://evil.test' })->{status},
   200, 'with a token, any page that has it may');


# client certificates

sub curl {
    my ($who, $uri, @more) = @_;

    return run_ok('curl', '-sS', '--max-time', 10, '--cacert', $clients,
                  $who ? ('--cert', $who, '--key', $who =~ s/pem$/key/r) : (),
                  '-o', "$dir/body", '-w', '%{http_code}', @more,
                  "https://localhost:$tls$uri", '--resolve',
                  "localhost:$tls:127.0.0.1");
}

is(curl($alice, "/mtls/$get"), 200, 'the right client certificate');
like(slurp("$dir/body"), qr/"\Q$serial\E"/i, 'with the answer');
is(curl($alice, "/mtls/manage/revoke/$serial", '-X', 'PATCH', '-d',
        '{"revocationReason":6}'), 200, 'revokes');
like($t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+'), qr/CN=alice/,
     'and is in the audit stream');
is(curl($mallory, "/mtls/$get"), 401, 'another one');
is(curl(undef, "/mtls/$get"), 401, 'none');


# auth_request: its variables are there only when it has run

is(call('GET', "/asked/$get", { 'X-Key' => 'sesame' })->{status}, 200,
   'auth_request tells the role');
is(call('DELETE', "/asked/manage/revoke/$serial",
        { 'X-Key' => 'sesame' })->{status}, 200, 'which is manage');
like($t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+'), qr/bob by key/,
     'and who that is');
is(call('GET', "/asked/$get", { 'X-Key' => 'guess' })->{status}, 401,
   'it refuses');


# a token decides where tokens are known, else the variable

is(call('GET', "/either/$get", { 'X-Role' => 'read' })->{status}, 200,
   'no token: the variable');
is(call('GET', "/either/$get", { 'X-Role' => 'read',
                                 Authorization => 'Basic YTpi' })->{status},
   200, 'another scheme: the variable');
is(call('GET', "/either/$get", { 'X-Role' => 'admin',
                                 %{ bearer('enroll') } })->{status}, 403,
   'a token: its own roles');
is(call('GET', "/either/$get", { 'X-Role' => 'admin',
                                 Authorization => 'Bearer x' })->{status},
   401, 'an unknown token: nobody');
is(call('GET', "/either/$get", bearer('read'))->{status}, 200, 'a known one');
is(call('GET', "/either/$get", {})->{status}, 401, 'neither');

# nginx has no access phase for what it asks of itself

for ([200, 'inner', bearer('read')], [401, 'inner', {}],
     [403, 'inner', bearer('enroll')], [200, 'inner', { 'X-Role' => 'read' }],
     [200, 'inner-role', { 'X-Role' => 'read' }], [401, 'inner-role', {}],
     [403, 'inner-role', { 'X-Role' => 'enroll' }], [401, 'inner-est', {}],
     [403, 'inner-est', bearer('read')], [200, 'inner-open', {}])
{
    my ($status, $uri, $headers) = @$_;

    is(call('GET', "/$uri", $headers)->{status}, $status,
       "a subrequest: $uri, " . join ' ', %$headers);
}

is(call('GET', "/any/$get", bearer('read'))->{status}, 200,
   'satisfy any, a token');
is(call('GET', "/any/$get", { 'X-Role' => 'read' })->{status}, 200,
   'satisfy any, the variable');
is(call('GET', "/any/$get", {})->{status}, 401, 'satisfy any, nobody');
is(call('GET', "/any/$get", { 'X-Role' => 'enroll' })->{status}, 403,
   'satisfy any, too little');


# plain HTTP

for my $client ('192.0.2.7', '10.0.0.1', '128.0.0.1', '2001:db8::1') {
    $r = call('GET', "/far/$get", { %{ bearer('read') },
                                    'X-Client' => $client });
    is($r->{status}, 403, "plain HTTP from $client");
    is(message($r), 'This needs HTTPS.', 'is told');

    is(call('GET', "/far/$get", { 'X-Role' => 'read',
                                  'X-Client' => $client })->{status}, 403,
       'also when a variable decides');
    is(call('GET', "/far/$get", { Authorization => 'Bearer x',
                                  'X-Client' => $client })->{status}, 403,
       'before a token is looked at');
    is(call('GET', "/trusted/$get", { %{ bearer('read') },
                                      'X-Client' => $client })->{status}, 200,
       'unless a proxy is trusted');
}

for my $client ('127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1') {
    is(call('GET', "/far/$get", { %{ bearer('read') },
                                  'X-Client' => $client })->{status}, 200,
       "plain HTTP from $client");
}

is(run_ok('curl', '-sS', '--max-time', 10, '--unix-socket', "$dir/api.sock",
          '-o', "$dir/body", '-w', '%{http_code}', '-H',
          "Authorization: Bearer $token{read}", "http://localhost/api/$get"),
   200, 'plain HTTP from a unix socket');
is(curl(undef, "/far/$get", '-H', 'X-Client: 192.0.2.7', '-H',
        "Authorization: Bearer $token{read}"), 200, 'HTTPS from anywhere');


# EST: what needs a token needs HTTPS as well

my %far = ('X-Client' => '192.0.2.7');

is(call('GET', '/est/cacerts', \%far)->{status}, 200, 'cacerts, from afar');

$r = call('POST', '/est/simpleenroll', { %{ bearer('enroll') }, %far },
          body => 'x');
is($r->{status}, 403, 'simpleenroll, from afar');
is(message($r), 'This needs HTTPS.', 'is told');

for (['read', 403], ['manage', 403], ['enroll', 400], ['self-service', 400],
     ['admin', 400])
{
    my ($role, $status) = @$_;

    is(call('POST', '/est/simpleenroll', bearer($role), body => 'x')
       ->{status}, $status, "$role at simpleenroll: $status");
}

is(call('POST', '/est/simpleenroll', {}, body => 'x')->{status}, 401,
   'nobody at simpleenroll');


# CORS

my %preflight = ('Access-Control-Request-Method' => 'PATCH',
                 'Access-Control-Request-Headers' => 'authorization');

sub cors {
    my ($r) = @_;
    return join ' ', sort grep { /^access-control/ } keys %{ $r->{headers} };
}

$r = call('OPTIONS', "/page/$patch", { Origin => 'https://ui.test',
                                       %preflight });
is($r->{status}, 204, 'a preflight');
is($r->{body} // '', '', 'has no body');
is($r->{headers}{'access-control-allow-origin'}, 'https://ui.test',
   'its origin');
like($r->{headers}{'access-control-allow-methods'}, qr/\bPATCH\b/, 'methods');
like($r->{headers}{'access-control-allow-headers'}, qr/\bAuthorization\b/,
     'headers');
is($r->{headers}{'access-control-allow-credentials'}, undef,
   'no credentials of the browser');
is($r->{headers}{vary}, 'Origin', 'Vary');

$r = call('OPTIONS', "/page/$patch", { Origin => 'https://ui.test:8443',
                                       %preflight });
is($r->{status}, 204, 'another port that is listed');

for my $origin ('https://evil.test', 'http://ui.test', 'https://ui.test.evil',
                'https://ui.test:443', 'null')
{
    $r = call('OPTIONS', "/page/$patch", { Origin => $origin, %preflight });
    is($r->{status}, 401, "a preflight from $origin");
    is(cors($r), '', 'learns nothing');
    is($r->{headers}{vary}, 'Origin', 'Vary');
}

is(call('OPTIONS', "/page/$patch", { Origin => 'https://ui.test' })->{status},
   401, 'OPTIONS that is no preflight');

$r = call('GET', "/page/$get", { Origin => 'https://ui.test',
                                 %{ bearer('read') } });
is($r->{status}, 200, 'the call');
is($r->{headers}{'access-control-allow-origin'}, 'https://ui.test',
   'its origin');
like($r->{headers}{'access-control-expose-headers'}, qr/WWW-Authenticate/,
     'what the page may see');

$r = call('GET', '/est/cacerts', { Origin => 'https://ui.test' });
is($r->{headers}{'access-control-allow-origin'}, 'https://ui.test', 'of EST');

$r = call('GET', "/page/$get", { Origin => 'https://ui.test' });
is($r->{status}, 401, 'the call without a token');
is($r->{headers}{'access-control-allow-origin'}, 'https://ui.test',
   'the page may know');

$r = call('GET', "/page/$get", { Origin => 'https://ui.test',
                                 'X-Role' => 'read' });
is($r->{status}, 200, 'a listed page, and the variable');

for my $uri ("/page/off/$get", "/api/$get") {
    $r = call('GET', $uri, { Origin => 'https://ui.test',
                             %{ bearer('read') } });
    is($r->{status}, 200, "$uri");
    is(cors($r), '', 'no CORS');
    is($r->{headers}{vary}, undef, 'no Vary');

    is(call('OPTIONS', $uri, { Origin => 'https://ui.test',
                               %preflight })->{status}, 401, 'no preflight');
}


# pki-admin

for (['a role', 'eve', 'emperor'], ['no role', 'eve', ''],
     ['a role too few', 'eve', 'read,'], ['a role twice', 'eve', 'read,read'],
     ['an issuer', 'eve', 'read', '--issuer', 'a b'],
     ['half an issuer', 'eve', 'read', '--issuer', 'a,'])
{
    my ($what, @args) = @$_;
    my ($rc) = $t->admin('token', @args, '--file', "$dir/never");

    is($rc, 2, "pki-admin refuses $what");
}

ok(!-e "$dir/never", 'and writes nothing');


# wrong values

my $hash = 'ab' x 32;
my $base = "pki_api; $tokens";

$t->allow(qr/\[emerg\]/);

for (["pki_api;", qr/"pki_api" needs "pki_api_tokens", "pki_api_jwt" or/],
     ["$base pki_api_jwt gone;", qr/pki_jwt "gone" not found in .*:\d+/],
     ["$base pki_api_role;", qr/number of arguments in "pki_api_role"/],
     ["$base pki_api_role a b=c;", qr/parameter "b=c" in "pki_api_role"/],
     ["$base pki_api_role a caller=b caller=c;", qr/repeated .*"caller=c"/],
     ["$base pki_api_role \$nowhere;", qr/unknown "nowhere" variable/],
     ["$base pki_api_role a; pki_api_role b;", qr/is duplicate/],
     ["$base pki_api_plain_http yes;", qr/"yes" in "pki_api_plain_http"/],
     ["$base pki_api_plain_http on; pki_api_plain_http on;", qr/duplicate/],
     ["$base pki_api_cors *;", qr/invalid origin "\*"/],
     ["$base pki_api_cors https://;", qr/invalid origin "https:\/\/"/],
     ["$base pki_api_cors https://A.test;", qr/origin "https:\/\/A\.test"/],
     ["$base pki_api_cors https://a.test/;", qr/invalid origin/],
     ["$base pki_api_cors off; pki_api_cors off;", qr/is duplicate/],
     ["pki_api; pki_api_tokens $dir/bad;", qr/line 1 of .* is not/,
      "$hash read,emperor name\n"],
     ["pki_api; pki_api_tokens $dir/bad;", qr/line 2 of .* is not/,
      "# fine\n$hash read name issuers=a\n"],
     ["pki_api; pki_api_tokens $dir/bad;", qr/line 1 of .* is not/,
      "$hash read name issuer=\n"])
{
    my ($text, $want, $file) = @$_;
    my $wrong = $t->nginx(start => 0, name => 'wrong',
                          locations => "location /a/ { $text }");

    spew("$dir/bad", $file) if $file;

    my ($rc, $out) = $wrong->check;
    isnt($rc, 0, "wrong: $text");
    like($out, $want, 'is told');
}

$t->done;
