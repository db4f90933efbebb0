# What SCEPman's clients send, octet by octet, and what each of them then does
# with the reply.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(decode_base64);

use PKI::Test;
use PKI::CSR;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $dir = $t->{dir};
my $token = $t->token('client', 'enroll');
my $tls = $t->cert($ca, 'tls', serial => '0101', ext =>
                   "subjectAltName=DNS:localhost\n");
my $port = free_port();
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';

$t->redis;

my $n = $t->nginx(issuer => "ocsp_url http://localhost/ocsp;"
                            . "ca_issuers_url https://localhost:$port/ca;",
                  http => <<'END', locations => <<"END2");
    pki_profile any { renew Static IntuneDevice IntuneUser; }
    pki_profile dc { default_eku pkInitKDC clientAuth serverAuth
                                 smartcardLogon; bind dc; }
END
        listen 127.0.0.1:$port ssl;
        ssl_certificate $tls;
        ssl_certificate_key $dir/leaf.key;
        ssl_client_certificate $ca;
        ssl_verify_client optional;
        pki_enroll any;
        pki_api_tokens $dir/tokens;
        location /.well-known/est/ { pki_est; }
        location /api/ { pki_api; }
        location /dc/ { pki_api; pki_enroll dc; }
        location /ocsp { pki_ocsp; }
        location = /probe { pki_status probe; }
END2

ok($n->ready, 'ready');

my $est = '/.well-known/est';
my $count = 0;

sub csr { return PKI::CSR->new($t, @_) }

# a request with these headers and no others

sub post {
    my ($uri, $body, @headers) = @_;

    my $head = join '', map { "$_\r\n" } "POST $uri HTTP/1.1",
               'Host: localhost', "Authorization: Bearer $token", @headers,
               'Content-Length: ' . length $body, 'Connection: close';

    return http_raw($n->{port}, "$head\r\n$body", method => 'POST');
}

sub der {
    my ($r, $what) = @_;

    is($r->{status}, 200, "$what: 200") or diag($r->{body});
    is($r->{headers}{'content-type'}, 'application/pkix-cert',
       'exactly application/pkix-cert');

    return certificate($r->{body});
}

sub certificate {
    my ($der) = @_;

    my $file = "$dir/cert-" . ++$count . '.pem';

    spew("$file.der", $der);
    is((run('openssl', 'x509', '-inform', 'DER', '-in', "$file.der", '-out',
            $file))[0], 0, 'one certificate, DER');
    like((run('openssl', 'verify', '-CAfile', $ca, $file))[1], qr/: OK/,
         'of this CA');

    return $file;
}

# the reply of EST, as .NET and PowerShell decode it

sub p7 {
    my ($r, $what) = @_;

    is($r->{status}, 200, "$what: 200") or diag($r->{body});
    like($r->{headers}{'content-type'}, qr{^application/pkcs7-mime(?:;|$)},
         'its media type');
    like($r->{body}, qr/^M/, 'base64 of DER');

    my $file = spew("$dir/reply.p7", decode_base64($r->{body}));
    my $text = run_ok('openssl', 'pkcs7', '-inform', 'DER', '-in', $file,
                      '-print_certs');
    my @certs = $text =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/sg;

    is(scalar @certs, 1, 'exactly one certificate');
    return certificate(decode_base64($certs[0]));
}

sub ext {
    my ($file, $name) = @_;
    return run_ok('openssl', 'x509', '-in', $file, '-noout', '-ext', $name);
}


# request-certificate-with-az.ps1: "az rest" with a file

my $server = csr(key => 'rsa', subject => [[CN => 'www.example.com']],
                 san => [[dns => 'www.example.com']]);

der(post('/api/csr', $server->der, 'User-Agent: AZURECLI/2.61.0',
         'Content-Type: application/octet-stream', 'Accept: */*',
         'Accept-Encoding: gzip, deflate'), 'az rest');


# CsrClient, .NET: no type of content at all

my $test = csr(subject => [[CN => 'Test']], eku => ['1.3.6.1.5.5.7.3.2'],
               eku_critical => 1);
my $cert = der(post('/api/csr/', $test->der), 'CsrClient, REST');

like(ext($cert, 'extendedKeyUsage'), qr/critical\s+TLS Web Client Auth/,
     'the usage, critical');
p7(post("$est/simpleenroll", $test->der), 'CsrClient, EST');


# the terraform provider: base64 in one line, and a slash too many

der(post('/api/csr', $server->base64, 'Accept: application/octet-stream',
         'Content-Type: application/octet-stream',
         'User-Agent: Go-http-client/1.1', 'Accept-Encoding: gzip'),
    'terraform');
der(post('//api/csr', $server->base64, 'Accept: application/octet-stream',
         'Content-Type: application/octet-stream'), 'terraform, //');


# SCEPmanClient: a StringContent of one line; the usages of keys under
# identifiers that there are not

my $client = csr(key => 'rsa', subject => [[CN => 'host.example.com']],
                 san => [[ip => '10.0.0.7'], [dns => 'host.example.com'],
                         [email => 'ops@example.com'], [uri => 'urn:a:b'],
                         [upn => 'ops@example.com']],
                 eku => ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'],
                 eku_critical => 1,
                 extensions => [['2.5.29.150', 0, null()],
                                ['2.5.29.151', 1, octets('x')]]);
my $mine = p7(post("$est/simpleenroll", $client->base64,
                   'Content-Type: application/pkcs10'), 'SCEPmanClient');

like(ext($mine, 'subjectAltName'), qr/IP[ ]Address:10\.0\.0\.7,
     [ ]DNS:host.example.com,[ ]email:ops\@example.com,[ ]URI:urn:a:b,
     [ ]othername/x, 'all names');
unlike(run_ok('openssl', 'x509', '-in', $mine, '-noout', '-text'),
       qr/2\.5\.29\.15[01]/, 'nothing else of the request');
p7(post("$est/simpleenroll", $client->pem,
        'Content-Type: application/pkcs10'), 'SCEPmanClient -Csr');
p7(post("/$est/simpleenroll", $client->base64,
        'Content-Type: application/pkcs10'), 'a base URL with a slash');


# the renewal server is what the first CA-issuers URI says, up to the port

my ($uri) = run_ok('openssl', 'x509', '-in', $mine, '-noout', '-text')
            =~ /CA Issuers - URI:(\S+)/;

is(substr($uri, 0, index($uri, '/', 8)), "https://localhost:$port",
   'the renewal server');

sub curl {
    my ($file, $key, @args) = @_;

    my $out = "$dir/curl.out";
    my $status = run_ok('curl', '-s', '-o', $out, '-w',
                        '%{http_code} %{content_type}', '--cacert', $ca,
                        $file ? ('--cert', $file, '--key', $key) : (), @args);
    my %r = (body => slurp($out));

    @r{qw(status type)} = split / /, $status, 2;
    $r{headers}{'content-type'} = $r{type};
    return \%r;
}

my $base = "https://localhost:$port";
my $renewal = csr(key => 'rsa', subject => [[CN => 'host.example.com']],
                  eku => ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'],
                  eku_critical => 1);
my $file = spew("$dir/renewal.b64", $renewal->base64);
my @renew = ('-H', 'Content-Type: application/pkcs10', '--data-binary',
             "\@$file", "$base$est/simplereenroll");
my @certs = map { p7(curl($mine, $client->key, @renew),
                     "SCEPmanClient renews, for the $_ time") }
            qw(first second);

is(ext($_, 'subjectAltName'), ext($mine, 'subjectAltName'),
   'names that it does not send') for @certs;
isnt(serial_of($certs[0]), serial_of($certs[1]), 'two certificates');


# psmodule: PEM from PowerShell 7, lines of base64 from Windows PowerShell

for (['PS7', $renewal->pem], ['PS5', $renewal->lines]) {
    my ($what, $body) = @$_;

    $renew[3] = '@' . spew("$dir/renewal", $body);
    p7(curl($mine, $client->key, @renew), "psmodule, $what");
}

p7($n->http('GET', "$est/cacerts"), 'psmodule, cacerts');


# the bash scripts: curl takes the line ends out of the request, and nobody
# looks at the status

sub bash_csr {
    my ($name, $subject, $san) = @_;

    spew("$dir/$name.cnf", <<"END");
[req]
distinguished_name = dn
req_extensions = ext
[dn]
[ext]
subjectAltName = $san
END
    # one for all: it takes seconds
    run_ok('openssl', 'genrsa', '-out', "$dir/bash.key", 4096)
        unless -e "$dir/bash.key";
    symlink "$dir/bash.key", "$dir/$name.key";
    run_ok('openssl', 'req', '-new', '-sha256', '-key', "$dir/$name.key",
           '-subj', $subject, '-config', "$dir/$name.cnf", '-out',
           "$dir/$name.csr");

    return "$dir/$name";
}

sub bash_reply {
    my ($r, $what) = @_;

    my $p7 = spew("$dir/bash.p7", "-----BEGIN PKCS7-----\n", $r->{body},
                  "\n-----END PKCS7-----\n");
    my $pem = "$dir/bash-" . ++$count . '.pem';

    is((run('openssl', 'pkcs7', '-print_certs', '-in', $p7, '-out', $pem))[0],
       0, "$what: a certificate") or diag($r->{body});
    return $pem;
}

my @bearer = ('-H', "Authorization: Bearer $token", '-H',
              'Content-Type: application/pkcs10');
my $upn = 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:';
my %bash = (
    user => bash_csr('user', '/CN=ann@example.com', "${upn}ann\@example.com"),
    device => bash_csr('device', "/CN=$guid", "URI:IntuneDeviceId://$guid"),
    server => bash_csr('server', '/CN=www.example.com/O=Example',
                       'DNS:www.example.com,IP:10.0.0.9'),
);

for (sort keys %bash) {
    my $pem = bash_reply(curl(undef, undef, '-X', 'POST', '--data',
                              "\@$bash{$_}.csr", @bearer,
                              "$base/$est/simpleenroll"), "bash, $_");

    like((run('openssl', 'verify', '-CAfile', $ca, $pem))[1], qr/: OK/,
         'of this CA');
    like(ext($pem, 'extendedKeyUsage'), qr/TLS Web Client Auth/,
         'a usage that it does not ask for');
    is(run_ok('openssl', 'x509', '-in', $pem, '-noout', '-pubkey'),
       run_ok('openssl', 'pkey', '-in', "$bash{$_}.key", '-pubout'),
       'its key');
    $bash{"$_.pem"} = $pem;
}

my $contoso = bash_csr('contoso', '/CN=Contoso', $upn);
my $renewed = bash_reply(curl($bash{'user.pem'}, "$bash{user}.key", '-X',
                              'POST', '--data', "\@$contoso.csr", '-H',
                              'Content-Type: application/pkcs10',
                              "$base/$est/simplereenroll"), 'bash renews');

is(run_ok('openssl', 'x509', '-in', $renewed, '-noout', '-subject'),
   "subject=CN = ann\@example.com\n", 'with its old subject');
is(ext($renewed, 'subjectAltName'), ext($bash{'user.pem'}, 'subjectAltName'),
   'and its old name');


# ScepClient's request for a domain controller: no usage asked for, and the
# one by which its script knows the certificate again

my $dc = csr(key => 'rsa', subject => [[CN => 'dc1.corp.example']],
             san => [map { [dns => $_] } qw(dc1 dc1.corp.example corp.example
                                            CORP)]);

$cert = der(post('/dc/csr', $dc->der), 'ScepClient, a domain controller');
like(ext($cert, 'extendedKeyUsage'), qr/Signing KDC Response/,
     'for Kerberos');
like(ext($cert, 'subjectAltName'), qr/DNS:dc1,[ ]DNS:dc1.corp.example,
     [ ]DNS:corp.example,[ ]DNS:CORP/x, 'all its names');

# "gennewext": a random GUID for a name, a usage of documents

$cert = der(post('/api/csr', csr(key => 'rsa', subject => [[CN => $guid]],
                                 eku => ['1.3.6.1.5.5.7.3.36'])->der),
            'ScepClient, document signing');
like(ext($cert, 'extendedKeyUsage'), qr/1\.3\.6\.1\.5\.5\.7\.3\.36/,
     'its usage');


# what they show when something is wrong: the status

is(post("$est/simpleenroll", 'x', 'Content-Type: application/pkcs10')
     ->{status}, 400, 'no request');
is(http_raw($n->{port}, "POST $est/nothing HTTP/1.1\r\nHost: x\r\n"
            . "Authorization: Bearer $token\r\nContent-Length: 0\r\n"
            . "Connection: close\r\n\r\n", method => 'POST')->{status}, 404,
   'no such endpoint');

$t->done;
