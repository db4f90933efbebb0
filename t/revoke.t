# The REST calls: who may, what they answer, what becomes of it.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my %cert = map { $_ => $t->cert($ca, $_) }
           qw(one two three four five six seven);
my $elsewhere = $t->cert($second, 'elsewhere');
my $manage = $t->token('Alice.Admin', 'manage');
my $read = $t->token('reader', 'read');

$t->redis;
$t->record('demo', values %cert);
$t->record('second', $elsewhere);

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $t->{dir}/ca.key;",
    second => "certificate $second; key $t->{dir}/second.key;",
}, issuer => 'responder auto valid=30d;',
   http => 'limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;',
   server => <<"END");
        location /closed/ {
            pki_api demo; pki_api_tokens $t->{dir}/tokens; deny all;
        }
        location /any/ {
            pki_api demo; pki_api_tokens $t->{dir}/tokens;
            satisfy any; allow 127.0.0.1; deny all;
        }
        location /if/ {
            pki_api demo; pki_api_tokens $t->{dir}/tokens;
            if (\$request_method = PATCH) { add_header X-Patched 1; }
        }
        location /slow/ {
            pki_api demo; pki_api_tokens $t->{dir}/tokens;
            limit_req zone=slow;
        }
        location /limited/ {
            pki_api demo; pki_api_tokens $t->{dir}/tokens;
            limit_except GET { deny all; }
        }
END

ok($n->ready, 'ready');

sub status_of { return $n->ask($ca, $cert{ +shift })->{cert} }
sub uri_of { return 'revoke/' . serial_of($cert{ +shift }) }


# who may

my @bodies = (body => { revocationReason => 1 });

for (['nobody', undef, 401], ['a wrong token', 'x' x 43, 401],
     ['an empty token', '', 401], ['a reader', $read, 403])
{
    my ($who, $token, $status) = @$_;
    my $r = $n->api('PATCH', uri_of('one'), token => $token, @bodies);

    is($r->{status}, $status, "$who may not revoke");
    like($r->{headers}{'www-authenticate'} // '', qr/^Bearer/i,
         'is asked for a token') if $status == 401;
}

for my $header ("bearer $manage", "BEARER  $manage") {
    my $r = $n->api('GET', 'certificates/' . serial_of($cert{one}),
                    headers => { Authorization => $header });

    is($r->{status}, 200, 'the word Bearer in any case');
}

for my $header ("Basic $manage", "Bearer", "Bearer$manage", "Bearer $manage x",
                $manage)
{
    my $r = $n->api('GET', 'certificates/' . serial_of($cert{one}),
                    headers => { Authorization => $header });

    is($r->{status}, 401, 'another scheme or no token');
}

is(status_of('one'), 'good', 'nothing has changed');

my $uri = '/closed/manage/revoke/' . serial_of($cert{one});
my %auth = (headers => { Authorization => "Bearer $manage" },
            body => '{"revocationReason":1}');

is($n->http('PATCH', $uri, %auth)->{status}, 403, 'deny joins in');

is(status_of('one'), 'good', 'nothing has changed');


# revoking

my $serial = serial_of($cert{one});
my $before = int time;
my $r = $n->revoke($manage, $cert{one}, 1, comment => 'lost the laptop');

is($r->{status}, 200, 'revoked');
is(status_of('one'), 'revoked', 'at once');

my $a = $n->ask($ca, $cert{one});

is($a->{reason}, 1, 'with the reason');
ok($a->{revoked_at} >= $before && $a->{revoked_at} <= time, 'and the time');
is($a->{next} - $a->{this}, 7 * 86400, 'for seven days');

my $same = $n->revoke($manage, $cert{one}, 1);

is($same->{status}, 200, 'the same again is harmless')
    or diag($same->{body});
is($n->ask($ca, $cert{one})->{revoked_at}, $a->{revoked_at}, 'no later time');

$r = $n->revoke($manage, $cert{one}, 4);
is($r->{status}, 409, 'another reason is a conflict');
is($r->{json}{errorCode}, 5013, 'errorCode 5013');
ok($r->{json}{errorMessage}, 'errorMessage');

$r = $n->revoke($manage, '507AEAC03CCEF83F106914418D9222E466A629C1', 1);
is($r->{status}, 404, 'a serial that nobody knows');
is($r->{json}{errorCode}, 7012, 'errorCode 7012');
like($r->{headers}{'content-type'}, qr{^application/json}, 'in JSON');


# spellings of a serial

my %spellings = (
    two => sub { lc shift },
    three => sub { join ':', shift =~ /../g },
    four => sub { '0000' . shift },
    five => sub { join '%3A', lc(shift) =~ /../g },
);

for (sort keys %spellings) {
    my $uri = 'revoke/' . $spellings{$_}->(serial_of($cert{$_}));

    is($n->api('PATCH', $uri, token => $manage,
               body => { revocationReason => 0 })->{status}, 200, $uri);
    is($n->ask($ca, $cert{$_})->{reason}, 0, 'revoked, unspecified');
}

for ('', 'xyz', '00', '0' x 50, 'A' x 41, '-1', '12 34', "$serial/x", '%00') {
    my $e = $n->api('PATCH', "revoke/$_", token => $manage, @bodies);

    ok($e->{status} == 400 || $e->{status} == 404, "no serial: \"$_\"")
        or diag($e->{line});
}


# a hold, released, and made final

is($n->revoke($manage, $cert{six}, 6)->{status}, 200, 'on hold');
$a = $n->ask($ca, $cert{six});
is($a->{reason}, 6, 'certificateHold');
is($a->{next} - $a->{this}, 300, 'for five minutes');
is($n->api('DELETE', uri_of('six'), token => $read)->{status}, 403,
   'a reader cannot release');
is($n->api('DELETE', uri_of('six'), token => $manage)->{status}, 200,
   'released');
is(status_of('six'), 'good', 'good again, at once');
is($n->api('DELETE', uri_of('six'), token => $manage)->{status}, 409,
   'there is no second release');
is($n->api('DELETE', 'revoke/0F0F', token => $manage)->{status}, 404,
   'nor one of what nobody knows');

is($n->revoke($manage, $cert{six}, 6)->{status}, 200, 'on hold again');
is($n->revoke($manage, $cert{six}, 8)->{status}, 200,
   'reason 8 releases it too');
is(status_of('six'), 'good', 'good again');

is($n->revoke($manage, $cert{six}, 6)->{status}, 200, 'on hold');
is($n->revoke($manage, $cert{six}, 4)->{status}, 200, 'made final');
is($n->ask($ca, $cert{six})->{reason}, 4, 'superseded');
$r = $n->api('DELETE', uri_of('six'), token => $manage);
is($r->{status}, 409, 'which nobody takes back');
is($r->{json}{errorCode}, 5013, 'errorCode 5013');
is(status_of('six'), 'revoked', 'still revoked');


# bodies

my %wrong = (
    'nothing' => '', 'no JSON' => 'revoke!', 'an array' => '[1]',
    'cut' => '{"revocationReason":1', 'no reason' => '{}',
    'reason 7' => '{"revocationReason":7}',
    'reason 11' => '{"revocationReason":11}',
    'reason -1' => '{"revocationReason":-1}',
    'a reason in words' => '{"revocationReason":"KeyCompromise"}',
    'a fraction' => '{"revocationReason":1.5}',
    'a large number' => '{"revocationReason":18446744073709551617}',
    'null' => '{"revocationReason":null}',
    'twice' => '{"revocationReason":1,"revocationReason":1}',
    'an unknown member' => '{"revocationReason":1,"force":true}',
    'nested' => '{"revocationReason":1,"comment":{}}',
    'behind it' => '{"revocationReason":1} x',
    'not UTF-8' => "{\"revocationReason\":1,\"comment\":\"\xff\"}",
    'a long revoker' => '{"revocationReason":1,"revoker":"'
                        . 'x' x 1000 . '"}',
);

for (sort keys %wrong) {
    my $e = $n->api('PATCH', uri_of('seven'), token => $manage,
                    body => $wrong{$_});

    is($e->{status}, 400, "a body: $_") or diag($e->{body});
    ok($e->{json} && $e->{json}{errorMessage}, 'says why');
}

is($n->api('PATCH', uri_of('seven'), token => $manage, body => ' ' x 100_000)
     ->{status}, 413, 'a body too large');
is(status_of('seven'), 'good', 'nothing has changed');

is($n->api('PATCH', uri_of('seven'), token => $manage,
           body => '{ "RevocationReason" : 5, "revoker" : null }')->{status},
   200, 'names in another case, null');
is($n->ask($ca, $cert{seven})->{reason}, 5, 'cessationOfOperation');


# issuers

is($n->revoke($manage, $elsewhere, 1)->{status}, 200,
   "another issuer's, found by its serial");
is($n->ask($second, $elsewhere)->{cert}, 'revoked', 'revoked');
is($n->ask($ca, $elsewhere)->{cert}, 'unknown', 'not for the first issuer');
is($n->api('GET', 'certificates/' . serial_of($elsewhere) . '?issuer=second',
           token => $read)->{status}, 200, '?issuer=');
is($n->api('GET', 'certificates/' . serial_of($elsewhere) . '?issuer=demo',
           token => $read)->{status}, 404, 'the wrong one');
ok($n->api('GET', "certificates/$serial?issuer=nobody", token => $read)
     ->{status} =~ /^40[04]$/, 'one that there is not');


# what is known

$r = $n->api('GET', "certificates/$serial", token => $read);
is($r->{status}, 200, 'a certificate by its serial');
like($r->{body}, qr/revoked/, 'is revoked');
like($r->{body}, qr/KeyCompromise/i, 'and why');
like($r->{body}, qr/Alice.Admin/, 'by whom');
is($n->api('GET', 'certificates/0F0F', token => $read)->{status}, 404,
   'nothing is known');
is($n->api('GET', "certificates/$serial")->{status}, 401, 'not for everybody');


# limit_req joins in

is(join(' ', map { $n->http('GET', "/slow/manage/certificates/$serial",
                            headers => { Authorization => "Bearer $read" })
                     ->{status} } 1, 2),
   '200 503', 'limit_req');


# "if" and "limit_except" have a configuration of their own, and still ask

for my $uri ("/if/manage/revoke/$serial") {
    my $auth = { Authorization => "Bearer $manage" };

    is($n->http('PATCH', $uri, body => '{"revocationReason":1}')->{status},
       401, 'nobody, under "if"');
    $r = $n->http('PATCH', $uri, headers => $auth,
                  body => '{"revocationReason":1}');
    is($r->{status}, 200, 'a token, under "if"');
    is($r->{headers}{'x-patched'}, 1, 'where "if" was true');
}

is($n->http('GET', "/limited/manage/certificates/$serial")->{status}, 401,
   'nobody, beside "limit_except"');
is($n->http('PATCH', "/limited/manage/revoke/$serial",
            headers => { Authorization => "Bearer $manage" },
            body => '{"revocationReason":1}')->{status},
   403, 'what "limit_except" denies is denied');
is($n->http('PATCH', "/limited/manage/revoke/$serial",
            body => '{"revocationReason":1}')->{status},
   401, 'and to nobody as well');


# calls that there are not

is($n->api('POST', "revoke/$serial", token => $manage, @bodies)->{status},
   405, 'POST');
is($n->api('GET', 'nonsense', token => $manage)->{status}, 404,
   'an unknown call');
is($n->http('GET', '/api/', headers => { Authorization => "Bearer $manage" })
     ->{status}, 404, 'no call');


# traces

my $audit = $t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+');

like($audit, qr/Alice.Admin/, 'the audit stream says who');
like($audit, qr/lost the laptop/, 'why');
like($audit, qr/127\.0\.0\.1/, 'from where');
like($audit, qr/\b$serial\b/, 'and what');
is(() = ($audit =~ /^$serial$/mg), 2, 'its record and its change once each');
like($audit, qr/^$_$/m, "the action $_") for qw(revoke upgrade release);
like($n->log, qr/$serial.*Alice.Admin|Alice.Admin.*$serial/,
     'the log has a line');

unlike($n->log, qr/\Q$manage\E/, 'and no token');

$t->done;
