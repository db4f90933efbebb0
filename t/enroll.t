# POST csr: what is issued, to whom, what is in it, and that it is on record
# before it is handed out.

use strict;
use warnings;

use lib 't/lib';
use Time::Local ();

use PKI::Test;
use PKI::CSR;

my $t = PKI::Test->new;
my %long = (from => '20200101000000Z', to => '20450101000000Z');
my $ca = $t->ca('ca', %long);
my $second = $t->ca('second', key => 'p384', %long);
my $ended = $t->ca('ended', from => '20200101000000Z',
                   to => '20210101000000Z');
my $dir = $t->{dir};
my $enroll = $t->token('Enrolment.Service', 'enroll');
my $other = $t->token('other', 'enroll');
my $admin = $t->token('admin', 'admin');
my $read = $t->token('reader', 'read');
my $self = $t->token('self', 'self-service');
my $scoped = run_ok($t->{admin}, 'token', 'Enrolment.Elsewhere', 'enroll',
                    '--issuer', 'second', '--file', "$dir/tokens");

spew("$dir/serial.keys", '3 ' . '5a' x 16 . "\n");

$t->redis;

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $dir/ca.key;"
            . 'ocsp_url http://pki.example/ocsp;'
            . 'ca_issuers_url https://pki.example/ca;'
            . 'crl_url http://pki.example/crl http://two.example/crl;'
            . 'delta_crl_url http://pki.example/delta; lifetime 100d;',
    second => "certificate $second; key $dir/second.key;"
              . "serial sealed; serial_key $dir/serial.keys;",
}, http => <<'END', locations => <<"END2");
    pki_profile any { issuer demo; callers Enrol*; }
    pki_profile other {
        issuer second; callers other; subject "CN=*.example.com,O=Example";
        san dns:*.example.com ip:10.1.* email:*@example.com;
        eku clientAuth 1.3.6.1.5.5.7.3.1; keys p256 ed25519;
        lifetime 10d; backdate 1h; requested_sid on;
        source CertificateMaster;
        microsoft_extensions on tenant=0A1B2C3D-1111-4222-8333-444455556666;
    }
    pki_profile fixed {
        issuer demo; requested_usage off; default_eku 1.3.6.1.5.5.7.3.1;
        default_key_usage digitalSignature; lifetime 1000d;
    }
END
        location /ocsp { pki_ocsp; }
        location /api/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll any other;
        }
        location /fixed/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll fixed;
            pki_record off;
        }
        location /address/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll fixed;
            satisfy any; allow 127.0.0.1; deny all;
        }
        location /none/ { pki_api; pki_api_tokens $dir/tokens; }
        location = /status { pki_status; }
        location = /metrics { pki_status prometheus; }
        location = /probe { pki_status probe; }
END2

ok($n->ready, 'ready');


# a request, the reply, and the certificate taken apart by openssl

my $count = 0;

sub csr { return PKI::CSR->new($t, @_) }

sub enroll {
    my ($body, %o) = @_;

    my $token = exists $o{token} ? $o{token} : $enroll;
    my $r = $n->http('POST', $o{uri} // '/api/csr', body => $body, headers => {
        defined $token ? (Authorization => "Bearer $token") : (),
        %{ $o{headers} || {} },
    });

    $r->{json} = eval { JSON::PP::decode_json($r->{body}) };
    return $r;
}

sub issued {
    my ($r, $name) = @_;

    is($r->{status}, 200, "$name: 200") or diag($r->{body}), return '';
    is($r->{headers}{'content-type'}, 'application/pkix-cert', 'its type');

    my $file = "$dir/issued-" . ++$count . '.pem';

    spew("$file.der", $r->{body});
    run_ok('openssl', 'x509', '-inform', 'DER', '-in', "$file.der", '-out',
           $file);

    return $file;
}

sub text {
    my ($file) = @_;
    return run_ok('openssl', 'x509', '-in', $file, '-noout', '-text',
                  '-nameopt', 'RFC2253');
}

sub refused {
    my ($r, $status, $like, $name) = @_;

    is($r->{status}, $status, $name) or diag($r->{body});
    like($r->{json}{errorMessage} // '', $like, 'says why');
    is($r->{json}{errorCode}, $status, 'errorCode');
    ok($r->{json}{requestId}, 'requestId');
}


# one certificate, all of it

my $before = int time;
my $csr = csr(key => 'rsa', subject => [[CN => 'server.example.com'],
                                        [O => 'Example']],
              san => [[ip => '10.1.2.3'], [dns => 'server.example.com'],
                      [email => 'a@example.com'], [uri => 'urn:x:y'],
                      [upn => 'u@example.com']],
              eku => ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
              eku_critical => 1, lifetime => [Days => '30']);
my $r = enroll($csr->der, headers => {
    'Content-Type' => 'application/octet-stream' });
my $cert = issued($r, 'a server');

like((run('openssl', 'verify', '-CAfile', $ca, $cert))[1], qr/: OK/,
     'openssl verifies it');

my $text = text($cert);

like($text, qr/Subject: O=Example,CN=server.example.com\n/, 'subject as sent');
like($text, qr/IP[ ]Address:10.1.2.3,[ ]DNS:server.example.com,
               [ ]email:a\@example.com,[ ]URI:urn:x:y,[ ]othername/x,
     'names as sent, in their order');
like($text, qr/Extended[ ]Key[ ]Usage:[ ]critical\s+TLS[ ]Web[ ]Server
               [ ]Authentication,[ ]TLS[ ]Web[ ]Client[ ]Auth/x,
     'usages as sent');
like($text, qr/Key Usage: critical\n/, 'key usage');
like($text, qr/Basic Constraints: critical\s+CA:FALSE/, 'no CA');
like($text, qr/Authority Key Identifier/, 'AKI');
like($text, qr/Subject Key Identifier/, 'SKI');
like($text, qr{OCSP - URI:http://pki.example/ocsp\n}, 'AIA: OCSP');
like($text, qr{CA Issuers - URI:https://pki.example/ca\n}, 'AIA: CA');
like($text, qr{URI:http://pki.example/crl\n.*URI:http://two.example/crl\n}s,
     'CRL distribution points');
like($text, qr{Freshest CRL:.*URI:http://pki.example/delta\n}s,
     'freshest CRL');

my ($from, $to) = map { cert_time($cert, $_) } qw(start end);

ok($from >= $before - 86400 && $from <= time - 86400, 'back-dated by a day');
ok($to >= $before + 30 * 86400 - 1 && $to <= time + 30 * 86400 + 1,
   'ends when it was asked to');

sub cert_time {
    my ($file, $which) = @_;

    my $line = run_ok('openssl', 'x509', '-in', $file, '-noout',
                      "-${which}date", '-dateopt', 'iso_8601');
    my @n = $line =~ /=(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)Z/ or die $line;

    return Time::Local::timegm_modern(@n[5, 4, 3, 2], $n[1] - 1, $n[0]);
}

my $serial = serial_of($cert);

like($serial, qr/^50[0-9A-F]{38}$/, 'a serial number of kind Static');


# on record

is($n->ask($ca, $cert)->{cert}, 'good', 'OCSP: good');

$r = $n->api('GET', "certificates/$serial", token => $admin);
is($r->{status}, 200, 'found by its serial number');
is($r->{json}{requester}, 'Enrolment.Service', 'who asked for it');
is($r->{json}{source}, 'API', 'and how');
is($t->redis_cli('exists', "pki:{demo}:der:$serial"), 1, 'DER is kept');
is($t->redis_cli('exists', "pki:{demo}:serial:$serial"), 0,
   'the reservation has ended');

my $audit = $t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+');

like($audit, qr/^issue$/m, 'audit: what');
like($audit, qr/^$serial$/m, 'of which certificate');
like($audit, qr/^Enrolment\.Service$/m, 'by whom');
like($audit, qr/^127\.0\.0\.1$/m, 'from where');
like($n->log, qr/"$serial": issued by profile "any"/, 'a line in the log');

my $other_cert = issued(enroll($csr->der), 'the same request again');

isnt(serial_of($other_cert), $serial, 'another serial number');


# keys, and every spelling of a request

for my $type (qw(rsa rsa4096 p256 p384 p521 ed25519)) {
    my $c = csr(key => $type, subject => [[CN => $type]]);
    my $file = issued(enroll($c->der), "a key: $type");
    my $same = run_ok('openssl', 'x509', '-in', $file, '-noout', '-pubkey')
               eq run_ok('openssl', 'pkey', '-in', $c->key, '-pubout');

    ok($same, 'the key of the request');
}

my $plain = csr(subject => [[CN => 'plain']]);
my %bodies = (
    'DER' => $plain->der, 'PEM' => $plain->pem, 'base64' => $plain->base64,
    'base64 in lines' => $plain->lines,
    'base64, CRLF' => $plain->lines =~ s/\n/\r\n/gr,
    'PEM, CRLF' => $plain->pem =~ s/\n/\r\n/gr,
    'PEM without line ends' => $plain->bare,
    'PEM, NEW' => $plain->pem('NEW CERTIFICATE REQUEST'),
    'PEM with text around it' => "Request:\n" . $plain->pem . "\nbye\n",
    'base64 without padding' => $plain->base64 =~ s/=+$//r,
    'base64url' => $plain->base64 =~ tr{+/}{-_}r,
);

for (sort keys %bodies) {
    is(enroll($bodies{$_})->{status}, 200, "a body: $_");
}

is(enroll($plain->der, uri => '/api/csr/')->{status}, 200, '/api/csr/');

my $half = int(length($plain->pem) / 2);
my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
             substr($plain->pem, 0, $half), substr($plain->pem, $half), '';

is(enroll($chunks, headers => { 'Transfer-Encoding' => 'chunked' })->{status},
   200, 'in chunks');
is(enroll($plain->der, uri => '//api//csr')->{status}, 200, 'double slashes');


# what is no request

my $der = $plain->der;

for (['nothing', ''], ['text', 'please'], ['a letter', 'A'],
     ['half of it', substr $der, 0, length($der) / 2],
     ['too much of it', "$der\0"], ['a certificate', slurp($cert)],
     ['a wrong signature', csr(subject => [[CN => 'x']], spoil => 1)->der],
     ['a small key', csr(key => 'rsa1024', subject => [[CN => 'x']])->der],
     ['neither subject nor name', csr()->der],
     ['zeros', "\0" x 1000], ['brackets', '0' x 5000])
{
    my ($name, $body) = @$_;

    refused(enroll($body), 400, qr/\w/, "no request: $name");
}

refused(enroll('A' x 70_000), 413, qr/too large/, 'a body too large');


# who may

refused(enroll($plain->der, token => undef), 401, qr/token/, 'nobody');
refused(enroll($plain->der, token => 'x' x 43), 401, qr/token/,
        'a wrong token');
refused(enroll($plain->der, token => $read), 403, qr/\w/, 'a reader');
refused(enroll($plain->der, token => $admin), 403, qr/this caller/,
        'a caller that no profile is for');
refused(enroll($plain->der, token => $scoped =~ s/\s//gr), 403,
        qr/this caller/, 'a caller of another issuer');
refused(enroll($plain->der, token => $self), 403, qr/\w/,
        'self-service where nothing is bound');
is(enroll($plain->der, uri => '/none/csr')->{status}, 404,
   'where nothing is issued');
is($n->http('GET', '/api/csr', headers => {
    Authorization => "Bearer $admin" })->{status}, 405, 'GET');


# what a profile allows

my %allowed = (subject => [[CN => 'a.example.com'], [O => 'Example']],
               san => [[dns => 'A.Example.com'], [ip => '10.1.0.1'],
                       [email => 'u@example.com']]);
my $ok = issued(enroll(csr(%allowed, eku => ['1.3.6.1.5.5.7.3.2'],
                           sid => 'S-1-5-21-1-2-3-1001',
                           lifetime => [Weeks => '1'])->der,
                       token => $other), 'what is allowed');

like((run('openssl', 'verify', '-CAfile', $second, $ok))[1], qr/: OK/,
     'by the other issuer');
like(serial_of($ok), qr/^13/, 'a sealed serial number');
is($n->ask($second, $ok)->{cert}, 'good', 'OCSP: good');
$text = text($ok);
like($text, qr/Signature Algorithm: ecdsa-with-SHA384/, 'SHA-384 with P-384');
like($text, qr/1\.2\.840\.113556\.5\.14:/, 'the tenant is in it');
unlike($text, qr/1\.2\.840\.113556\.1\.5\.284\.2/, 'no device is');
like($text, qr/S-1-5-21-1-2-3-1001/, 'the requested SID');
ok(abs(cert_time($ok, 'end') - time - 7 * 86400) < 60, 'for a week');
ok(abs(time - 3600 - cert_time($ok, 'start')) < 60, 'back-dated by an hour');
$r = $n->api('GET', 'certificates/' . serial_of($ok), token => $admin);
is($r->{json}{source}, 'CertificateMaster', "the profile's source");

$ok = issued(enroll(csr(%allowed, lifetime => [Years => '1'])->der,
                    token => $other), 'more than is allowed');
ok(abs(cert_time($ok, 'end') - time - 10 * 86400) < 60,
   "no longer than the profile's lifetime");
like(text($ok), qr/TLS Web Client Authentication\n/, 'the default usage');

for (['a key', qr/key/, key => 'rsa'],
     ['a subject', qr/subject/, subject => [[CN => 'a.example.net'],
                                            [O => 'Example']]],
     ['more of a subject', qr/subject/, subject => [[CN => 'a.example.com'],
                                        [O => 'Example'], [OU => 'x']]],
     ['a name', qr/evil/, san => [[dns => 'evil.example.net']]],
     ['an address', qr/10\.2/, san => [[ip => '10.2.0.1']]],
     ['a type of name', qr/urn:x/, san => [[uri => 'urn:x']]],
     ['a UPN', qr/root/, san => [[upn => 'root@example.com']]],
     ['a usage', qr/1\.3\.6\.1\.5\.5\.7\.3\.3/,
      eku => ['1.3.6.1.5.5.7.3.3']])
{
    my ($name, $like, %o) = @$_;

    refused(enroll(csr(%allowed, %o)->der, token => $other), 403, $like,
            "not allowed: $name");
}

refused(enroll(csr(%allowed, extensions => [['2.5.29.19', 1, seq(tlv(0x01,
               "\xff"))]])->der, token => $other), 400, qr/CA/, 'a CA');


# what is asked for does not count, and nothing is recorded

$r = enroll($csr->der, uri => '/fixed/csr');
my $fixed = issued($r, 'fixed usages');

$text = text($fixed);
like($text, qr/Extended Key Usage:\s+TLS Web Server Authentication\n/,
     'one usage only');
like($text, qr/Key Usage: critical\s+Digital Signature\n/, 'and one of keys');
$serial = serial_of($fixed);
is($n->ask($ca, $fixed)->{cert}, 'unknown', 'not recorded: OCSP: unknown');
is($t->redis_cli('exists', "pki:{demo}:cert:$serial"), 0, 'no record');
ok($t->redis_cli('ttl', "pki:{demo}:serial:$serial")
   >= cert_time($fixed, 'end') - time - 5, 'its serial number stays reserved');

$ok = issued(enroll(csr(subject => [[CN => 'x']])->der, uri => '/fixed/csr'),
             'a long life');
ok(abs(cert_time($ok, 'end') - time - 100 * 86400) < 60,
   "no longer than the issuer's lifetime");


# let in by its address alone; and by a CA whose time is over

issued(enroll($plain->der, uri => '/address/csr', token => undef),
       'an address');
like($n->log, qr/by profile "fixed" for "127\.0\.0\.1"/, 'is named');

my $late = $t->nginx(issuers => {
    ended => "certificate $ended; key $dir/ended.key;",
}, http => 'pki_profile any { }', locations => <<"END");
        location /api/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll any;
        }
END

ok(wait_until(10, sub {
    $r = $late->http('POST', '/api/csr', body => $plain->der,
                     headers => { Authorization => "Bearer $enroll" });
    $r->{body} !~ /store/;
}), 'Redis is there');
is($r->{status}, 503, 'nothing by a CA that has expired');
like($r->{body}, qr/"errorMessage":"[^"]+"/, 'says why');


# numbers

my $status = $n->status->{enrolment};

ok($status->{issued} > 10, 'issued ones are counted');
ok($status->{refused} > 10, 'and refused ones');
is($status->{failed}, 0, 'nothing has failed');
like($n->http('GET', '/metrics')->{body},
     qr/^pki_enrolments_total\{[^}]*"issued"\} $status->{issued}$/m,
     'Prometheus');


# without Redis nothing is issued

$t->redis_stop;

for (1, 2) {
    $r = enroll($plain->der);
    is($r->{status}, 503, 'no store: 503');
    ok($r->{headers}{'retry-after'}, 'Retry-After');
    ok($r->{json}{errorMessage}, 'says why');
}

$t->redis;
ok(wait_until(10, sub { enroll($plain->der)->{status} == 200 }),
   'issued again');

unlike($n->log, qr/\Q$enroll\E/, 'no token in the log');

$t->done;
