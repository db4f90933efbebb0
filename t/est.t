# EST (RFC 7030): the CA, enrolment with a token, renewal with the certificate
# that a client has.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(decode_base64 encode_base64);

use PKI::Test;
use PKI::CSR;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $stranger = $t->ca('stranger');
my $dir = $t->{dir};
my $enroll = $t->token('Enrolment', 'enroll');
my $manage = $t->token('Manager', 'manage');
my $tls = $t->cert($ca, 'tls', serial => '0101', ext =>
                   "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
my ($port, $lax) = (free_port(), free_port());

spew("$dir/both.pem", slurp($ca), slurp($second), slurp($stranger));
$t->redis;

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $dir/ca.key;",
    second => "certificate $second; key $dir/second.key;",
}, http => <<"END", locations => <<"END2");
    pki_profile devices { issuer demo; renew Static JamfComputer; }
    pki_profile strict {
        issuer second; callers nobody; renew IntuneDevice; keys p256 p384;
    }
    server {
        listen 127.0.0.1:$lax ssl;
        ssl_certificate $tls;
        ssl_certificate_key $dir/leaf.key;
        ssl_verify_client optional_no_ca;
        location /.well-known/est/ { pki_est; pki_enroll devices strict; }
    }
END
        listen 127.0.0.1:$port ssl;
        ssl_certificate $tls;
        ssl_certificate_key $dir/leaf.key;
        ssl_client_certificate $dir/both.pem;
        ssl_verify_client optional;

        pki_api_tokens $dir/tokens;
        location /.well-known/est/ { pki_est; pki_enroll devices strict; }
        location /header/ {
            pki_est; pki_enroll devices;
            pki_client_certificate \$http_x_client_cert;
        }
        location /cert/ {
            pki_est; pki_enroll devices;
            pki_client_certificate \$ssl_client_cert;
        }
        location /ocsp { pki_ocsp; }
        location /api/ { pki_api; }
        location = /status { pki_status; }
        location = /probe { pki_status probe; }
END2

ok($n->ready, 'ready');

my $est = '/.well-known/est';
my $count = 0;

sub csr { return PKI::CSR->new($t, @_) }

sub est {
    my ($operation, $body, %o) = @_;

    my $token = exists $o{token} ? $o{token} : $enroll;
    my $r = $n->http('POST', $o{uri} // "$est/$operation", body => $body,
                     headers => {
        'Content-Type' => 'application/pkcs10',
        defined $token ? (Authorization => "Bearer $token") : (),
        %{ $o{headers} || {} },
    });

    $r->{json} = eval { JSON::PP::decode_json($r->{body}) };
    return $r;
}

# the certificates of a PKCS#7, as openssl reads what a script made of it

sub pkcs7 {
    my ($r) = @_;

    my $file = spew("$dir/reply.p7", "-----BEGIN PKCS7-----\n", $r->{body},
                    "\n-----END PKCS7-----\n");
    my $text = run_ok('openssl', 'pkcs7', '-in', $file, '-print_certs');

    return $text =~ /(-----BEGIN CERT.*?-----END CERTIFICATE-----\n)/sg;
}

sub issued {
    my ($r, $name) = @_;

    is($r->{status}, 200, "$name: 200") or diag($r->{body}), return '';
    like($r->{headers}{'content-type'},
         qr{^application/pkcs7-mime; smime-type=certs-only$}, 'its type');
    is($r->{headers}{'content-transfer-encoding'}, 'base64', 'in base64');
    unlike($r->{body}, qr/\n\z/, 'no line feed at its end');
    ok(!(grep { length > 64 } split /\n/, $r->{body}), '64 columns');

    my @certs = pkcs7($r);

    is(scalar @certs, 1, 'one certificate');
    return spew("$dir/issued-" . ++$count . '.pem', @certs);
}

sub field {
    my ($file, @what) = @_;
    return run_ok('openssl', 'x509', '-in', $file, '-noout', @what);
}

sub names {
    my ($file) = @_;
    return field($file, '-subject', '-ext',
                 'subjectAltName,extendedKeyUsage,keyUsage');
}

sub refused {
    my ($r, $status, $like, $name) = @_;

    is($r->{status}, $status, $name) or diag($r->{body});
    like($r->{json}{errorMessage} // '', $like, 'says why');
    ok($r->{json}{requestId}, 'requestId');
}

# with a certificate shown by TLS

sub renew {
    my ($cert, $key, $body, %o) = @_;

    my $out = "$dir/curl.out";
    my $in = spew("$dir/curl.in", $body);
    my $type = $o{no_type} ? 'Content-Type:'
                           : 'Content-Type: application/pkcs10';
    my $uri = $o{uri} // "$est/simplereenroll";

    # who knows the CA sends it along, and nginx looks at both

    my $head = run_ok('curl', '-s', '-o', $out, '-D', '-',
                      $o{port} ? '--insecure' : ('--cacert', $ca),
                      $cert ? ('--cert', $cert, '--key', $key) : (), '-H',
                      $type, $o{strip} ? '--data' : '--data-binary', "\@$in",
                      'https://localhost:' . ($o{port} // $port) . $uri);
    my %r = (body => slurp($out), headers => {});

    ($r{status}) = $head =~ m{^HTTP/[\d.]+ (\d+)};
    $r{headers}{ lc $1 } = $2 while $head =~ /^([\w-]+): (.*?)\r?$/mg;
    $r{json} = eval { JSON::PP::decode_json($r{body}) };

    return \%r;
}


# the CA

my $r = $n->http('GET', "$est/cacerts");
my $got = issued($r, 'cacerts');

is(field($got, '-fingerprint'), field($ca, '-fingerprint'), 'the issuing CA');
is($n->http('GET', '//.well-known//est//cacerts')->{status}, 200,
   'double slashes');
is($n->http('HEAD', "$est/cacerts")->{status}, 200, 'HEAD');
is($n->http('GET', "$est/csrattrs")->{status}, 204, 'no attributes');


# operations that there are not

refused(est('nothing', 'x'), 404, qr/operation/, 'an unknown operation');
refused(est('', 'x'), 404, qr/operation/, 'none');
refused(est('serverkeygen', 'x'), 501, qr/offered/, 'serverkeygen');
refused(est('fullcmc', 'x'), 501, qr/offered/, 'fullcmc');
$r = est('cacerts', 'x');
refused($r, 405, qr/method/, 'POST cacerts');
is($r->{headers}{allow}, 'GET, HEAD', 'Allow');
is($n->http('GET', "$est/simpleenroll",
            headers => { Authorization => "Bearer $enroll" })->{status}, 405,
   'GET simpleenroll');


# enrolment

my %asked = (subject => [[CN => 'host.example'], [OU => 'Ops']],
             san => [[ip => '10.0.0.1'], [dns => 'host.example'],
                     [email => 'a@host.example'], [uri => 'urn:a'],
                     [upn => 'a@host.example']],
             eku => ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'],
             eku_critical => 1);
my $csr = csr(%asked, key => 'rsa');
my $cert = issued(est('simpleenroll', $csr->base64), 'simpleenroll');

like((run('openssl', 'verify', '-CAfile', $ca, $cert))[1], qr/: OK/,
     'openssl verifies it');
is($n->ask($ca, $cert)->{cert}, 'good', 'OCSP: good');

for (['PEM', $csr->pem], ['PEM without line ends', $csr->bare],
     ['DER', $csr->der], ['base64 in lines', $csr->lines])
{
    my ($name, $body) = @$_;

    is(est('simpleenroll', $body)->{status}, 200, "a body: $name");
}

is(est('', $csr->base64, uri => '//.well-known/est//simpleenroll/')
     ->{status}, 200, 'double slashes, and one at the end');
refused(est('simpleenroll', $csr->base64, token => undef), 401, qr/token/,
        'nobody');
refused(est('simpleenroll', $csr->base64, token => $manage), 403, qr/\w/,
        'another role');
refused(est('simpleenroll', 'nonsense'), 400, qr/\w/, 'no request');
refused(est('simpleenroll', 'A' x 70_000), 413, qr/large/, 'too large');


# renewal: nothing of the request counts but its key

my $key = $csr->key;
my $new = csr(key => 'rsa4096', subject => [[CN => 'Contoso']],
              san => [[upn => '']], eku => ['1.3.6.1.5.5.7.3.3']);
my $renewed = issued(renew($cert, $key, $new->pem), 'renewed');

is(names($renewed), names($cert), 'subject, names and usages stay');
is(field($renewed, '-pubkey'),
   run_ok('openssl', 'pkey', '-in', $new->key, '-pubout'), 'with a new key');
isnt(serial_of($renewed), serial_of($cert), 'another serial number');
is(substr(serial_of($renewed), 8), substr(serial_of($cert), 8),
   'bound to the same');
is($n->ask($ca, $renewed)->{cert}, 'good', 'OCSP: good');
$r = $n->api('GET', 'certificates/' . serial_of($renewed), token => $manage);
is($r->{json}{requester}, 'certificate ' . serial_of($cert),
   'on record: which was renewed');

my $again = issued(renew($cert, $key, $csr->base64), 'again, the same key');

is(field($again, '-pubkey'), field($cert, '-pubkey'), 'the old key');
ok(issued(renew($renewed, $new->key, $new->bare, strip => 1),
          'the renewed one renewed, in one line'), 'a chain of renewals');
is(renew($cert, $key, $csr->der, no_type => 1)->{status}, 200,
   'DER without a type');
is(renew($cert, $key, $csr->pem, uri => '//.well-known/est/simplereenroll')
     ->{status}, 200, 'double slashes');


# what renews nothing

refused(renew(undef, undef, $csr->pem), 403, qr/shown by TLS/,
        'no certificate');
refused(est('simplereenroll', $csr->pem), 403, qr/shown by TLS/,
        'a token instead');
refused(renew($cert, $key, 'nonsense'), 400, qr/\w/, 'no request');
refused(renew($cert, $key, csr(key => 'rsa1024')->pem), 400, qr/\w/,
        'a weak key');

my $leaf = "$dir/leaf.key";
my $foreign = $t->cert($stranger, 'foreign');
my $unknown = $t->cert($ca, 'unknown');
my $device = $t->cert($ca, 'device', kind => 'Device',
                      guid => '11111111-2222-4333-8444-555555555555');
my $elsewhere = $t->cert($second, 'elsewhere', kind => 'Device',
                         guid => '11111111-2222-4333-8444-555555555555');
my $static = $t->cert($second, 'static');
my $odd = $t->cert($ca, 'odd', serial => '0777');

$t->record('demo', $device, $odd);
$t->record('second', $elsewhere, $static);

refused(renew($foreign, $leaf, $csr->pem), 403, qr/not issued here/,
        "another CA's");
refused(renew($unknown, $leaf, $csr->pem), 403, qr/not known/,
        'one that is not on record');
refused(renew($device, $leaf, $csr->pem), 403, qr/kind/, 'another kind');
refused(renew($static, $leaf, $csr->pem), 403, qr/kind/,
        'another kind for that issuer');
refused(renew($odd, $leaf, $csr->pem), 403, qr/kind/, 'a serial of no kind');
refused(renew($elsewhere, $leaf, $csr->pem), 403, qr/key/,
        'a key that the profile does not allow');
$got = issued(renew($elsewhere, $leaf, csr(subject => [[CN => 'x']])->pem),
              'of the second issuer');
like((run('openssl', 'verify', '-CAfile', $second, $got))[1], qr/: OK/,
     'issued by it');
is($n->ask($second, $got)->{cert}, 'good', 'OCSP: good');

is($n->revoke($manage, $again, 6)->{status}, 200, 'one is on hold');
refused(renew($again, $key, $csr->pem), 403, qr/revoked/, 'on hold');
is($n->revoke($manage, $cert, 1)->{status}, 200, 'one is revoked');
refused(renew($cert, $key, $csr->pem), 403, qr/revoked/, 'revoked');

# what no client has been given

for (['sub', qr/CAs/, ext => "basicConstraints=critical,CA:TRUE\n"],
     ['signer', qr/CAs/, ext => "keyUsage=critical,keyCertSign\n"],
     ['responder', qr/1\.3\.6\.1\.5\.5\.7\.3\.9/, ext =>
      "extendedKeyUsage=OCSPSigning\n"],
     ['account', qr/alternative name/, ext => "subjectAltName=\@names\n"
      . "[names]\nURI=tag:microsoft.com,2022-09-14:sid:S-1-5-21-1\n"])
{
    my ($name, $like, @how) = @$_;
    my $file = $t->cert($ca, $name, @how);

    $t->record('demo', $file);
    refused(from_proxy($file), 403, $like, "a certificate: $name");
}

# a CA of the same name, and a certificate of today's CA for tomorrow

run_ok('openssl', 'x509', '-in', $ca, '-signkey', $leaf, '-out',
       "$dir/twin.pem");
spew("$dir/twin.key", slurp($leaf));

my $twins = $t->cert("$dir/twin.pem", 'twins');

$t->record('demo', $twins);
refused(from_proxy($twins), 403, qr/not issued here/,
        'of a CA that has the name of ours');
refused(from_proxy("$dir/twin.pem"), 403, qr/not issued here/, 'that CA');
refused(from_proxy($ca), 403, qr/kind|CAs/, 'our CA itself');

my $tomorrow = signed_at('+1d', 'tomorrow');

$t->record('demo', $tomorrow);
refused(from_proxy($tomorrow), 403, qr/not valid now/, 'not valid yet');

# the same where nginx lets every certificate in

my $server = $t->cert($ca, 'server', ext => "extendedKeyUsage=serverAuth\n");

$t->record('demo', $server);
is(renew($cert, $key, $csr->pem, port => $lax)->{status}, 403, 'revoked');
refused(renew(undef, undef, $csr->pem, port => $lax), 403, qr/shown by TLS/,
        'no certificate');
ok(issued(renew($server, $leaf, $csr->pem, port => $lax), 'of a server'),
   'which is no client by its usage');

for ($foreign, $twins, "$dir/twin.pem") {
    refused(renew($_, $leaf, $csr->pem, port => $lax), 403,
            qr/not issued here/, "renews nothing: $_");
}

my $old = signed_at('-400d', 'expired');

$t->record('demo', $old);

refused(from_proxy($old), 403, qr/not valid now/, 'expired');

sub signed_at {
    my ($when, $name) = @_;

    my $file = "$dir/$name.pem";

    run_ok('faketime', '-f', $when, 'openssl', 'x509', '-req', '-in',
           "$dir/unknown.pem.csr", '-CA', $ca, '-CAkey', "$dir/ca.key",
           '-days', 30, '-set_serial', '0x' . $t->serial, '-out', $file);

    return $file;
}

sub from_proxy {
    my ($file) = @_;

    return est('', $csr->pem, uri => '/header/simplereenroll',
               token => undef, headers => {
        'X-Client-Cert' => one_line($file),
    });
}


# the certificate from a proxy that has ended TLS, in many spellings

my $pem = slurp($renewed);
my $body64 = $pem =~ s/-----[^-]+-----|\s//gr;

sub one_line { return slurp(shift) =~ s/\n/ /gr =~ s/ \z//r }

my %spellings = (
    'blanks for line ends' => one_line($renewed),
    'tabs' => $pem =~ s/\n(?=.)/\t/gr =~ s/\n//gr,
    'escapes' => $pem =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger,
    'few escapes' => $pem =~ s/\n/%0A/gr =~ s/ /%20/gr,
    'base64 of DER' => $body64,
    'and another behind it' => one_line($renewed) . one_line($ca),
);

for (sort keys %spellings) {
    $r = est('', $new->pem, uri => '/header/simplereenroll', token => undef,
             headers => { 'X-Client-Cert' => $spellings{$_} });
    is($r->{status}, 200, "a certificate: $_") or diag($r->{body});
}

for ('', 'nonsense', '-----BEGIN CERTIFICATE-----', '%zz', 'MIIB',
     substr($body64, 0, 200), '-' x 1000)
{
    refused(est('', $new->pem, uri => '/header/simplereenroll',
                headers => { 'X-Client-Cert' => $_ }), 403, qr/\w/,
            'no certificate: ' . substr $_, 0, 30);
}

is(renew($renewed, $new->key, $new->pem, uri => '/cert/simplereenroll')
     ->{status}, 200, '$ssl_client_cert');


my $status = $n->status->{enrolment};

ok($status->{issued} > 15 && $status->{refused} > 15, 'all are counted');

$t->done;
