# One certificate in full: what it says, in each form, what was done to it.

use strict;
use warnings;

use JSON::PP;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $manage = $t->token('Alice.Admin', 'manage');
my $read = $t->token('reader', 'read');

my $cert = $t->cert($ca, 'laptop', kind => 'Device', guid => $guid, ext =>
                    "subjectAltName=DNS:laptop-7.example.com\n"
                    . "extendedKeyUsage=clientAuth,1.3.6.1.5.2.3.5\n");
$t->key($_->[0], $_->[1]) for ['an-rsa', 'rsa'], ['an-ed', 'ed25519'],
                                  ['a-p384', 'p384'];

my %other = (rsa => $t->cert($ca, 'rsa', key => 'an-rsa'),
             ed25519 => $t->cert($ca, 'edwards', key => 'an-ed'),
             p384 => $t->cert($ca, 'large', key => 'a-p384',
                              ext => "keyUsage=digitalSignature\n"));
my $unrecorded = $t->cert($ca, 'unrecorded', kind => 'Device', guid => $guid);
my $foreign = $t->cert($second, 'foreign');

$t->redis;
run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer', 'demo',
       '--source', 'Intune', '--requester', 'proxy', $cert);
$t->record('demo', values %other);
$t->record('second', $foreign);

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $t->{dir}/ca.key; unknown serial;",
    second => "certificate $second; key $t->{dir}/second.key;",
});

ok($n->ready, 'ready');

my $serial = uc serial_of($cert);

sub detail {
    my ($serial, %o) = @_;

    $serial = serial_of($serial) if -e $serial;
    return $n->api('GET', "certificates/$serial", token => $read, %o);
}

sub accept_of { return (headers => { Accept => shift }) }

sub der_of {
    my ($file) = @_;
    return run_ok('openssl', 'x509', '-in', $file, '-outform', 'DER');
}


# JSON

my $r = detail($cert);
my $d = $r->{json};
my %x509 = map { /^(?:sha(\d+) Fingerprint|(not\w+))=(.*)/i
                 ? (($1 // $2) => $3) : () }
           split /\n/, run_ok('openssl', 'x509', '-in', $cert, '-noout',
                              '-fingerprint', '-sha256', '-dates', '-dateopt',
                              'iso_8601')
                       . run_ok('openssl', 'x509', '-in', $cert, '-noout',
                                '-fingerprint', '-sha1');

is($r->{status}, 200, 'a certificate');

my %want = (
    serialNumber => $serial, issuer => 'demo', recorded => JSON::PP::true,
    subject => 'CN=laptop', sans => 'DNS:laptop-7.example.com', upn => undef,
    thumbprint => $x509{1} =~ s/://gr, sha256 => $x509{256} =~ s/://gr,
    keyType => 'EC P-256', source => 'Intune', requester => 'proxy',
    issuanceDate => $x509{notBefore} =~ s/ /T/r,
    expirationDate => $x509{notAfter} =~ s/ /T/r,
    revocationDate => undef, revocationReason => undef, revokedBy => undef,
    status => 'good', next => undef,
);

is_deeply($d->{$_}, $want{$_}, $_) for sort keys %want;
is_deeply($d->{objects}, ["device/$guid"], 'objects');
is_deeply($d->{ekus}, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.2.3.5'], 'usages');
is($d->{pem}, run_ok('openssl', 'x509', '-in', $cert), 'the certificate');
is_deeply($d->{chain}, [run_ok('openssl', 'x509', '-in', $ca)], 'its chain');
is(scalar @{ $d->{history} }, 1, 'one thing was done');
is($d->{history}[0]{at}, $d->{issuedAt}, 'at the time of the record');

for (['rsa', 'RSA 2048'], ['ed25519', 'ED25519'], ['p384', 'EC P-384']) {
    my ($name, $type) = @$_;

    is(detail($other{$name})->{json}{keyType}, $type, "a key: $type");
}

is_deeply(detail($other{p384})->{json}{ekus}, [], 'no usages');
is(detail($foreign)->{json}{issuer}, 'second', 'of another issuer');
is_deeply(detail($foreign)->{json}{chain},
          [run_ok('openssl', 'x509', '-in', $second)], 'with its own chain');


# other forms

for my $accept ('application/pkix-cert', 'text/html, application/pkix-cert',
                'application/pkix-cert, application/json')
{
    my $r = detail($cert, accept_of($accept));

    is($r->{headers}{'content-type'}, 'application/pkix-cert', $accept);
    ok($r->{body} eq der_of($cert), 'DER');
    like($r->{headers}{'content-disposition'}, qr/"\Q$serial\E\.cer"/, 'a file');
}

for my $accept ('application/x-pem-file', 'application/pem-certificate-chain') {
    my $r = detail($cert, accept_of($accept));

    is($r->{headers}{'content-type'}, $accept, $accept);

    my @certs = $r->{body} =~ /(-----BEGIN.*?END CERTIFICATE-----\n)/sg;

    is(@certs, 2, 'with its issuer');

    my $leaf = spew("$t->{dir}/leaf.pem", $certs[0]);
    my $chain = spew("$t->{dir}/chain.pem", $certs[1]);

    like((run('openssl', 'verify', '-CAfile', $chain, $leaf))[1], qr/: OK/,
         'which verifies it');
}

for my $accept ('*/*', 'text/html', 'image/png', 'application/json',
                'application/json, application/pkix-cert')
{
    is(ref detail($cert, accept_of($accept))->{json}, 'HASH', "JSON: $accept");
}

is($n->http('HEAD', "/api/manage/certificates/$serial",
            headers => { Authorization => "Bearer $read",
                         Accept => 'application/pkix-cert' })
     ->{headers}{'content-length'}, length der_of($cert), 'HEAD');


# what was done to it

sub history {
    my ($query) = @_;
    return $n->api('GET', "certificates/$serial/history$query",
                   token => $read);
}

$n->revoke($manage, $cert, 6, comment => 'in the train', revoker => 'Eve');
$n->api('DELETE', "revoke/$serial", token => $manage);
$n->revoke($manage, $cert, 1);

$d = detail($cert)->{json};
is($d->{status}, 'revoked', 'revoked');
is($d->{revocationReason}, 'KeyCompromise', 'with a reason');
is($d->{revokedBy}, 'Alice.Admin', 'by somebody');

my @done = @{ $d->{history} };

is(join(' ', map { $_->{action} } @done), 'import revoke release revoke',
   'all that was done, in this order');
is($done[1]{reason}, 'CertificateHold', 'the reason then');
is($done[1]{who}, 'Eve through API user Alice.Admin', 'who');
is($done[1]{from}, '127.0.0.1', 'from where');
is($done[1]{why}, 'in the train', 'why');
like($done[1]{at}, qr/^20\d\d-.*Z$/, 'when');
is($done[3]{reason}, 'KeyCompromise', 'the reason now');
is_deeply(history('')->{json}{history}, \@done, 'the same by itself');
is_deeply([ sort keys %{ history('')->{json} } ], [qw(history next)],
          'and nothing else');

my $busy = $other{rsa};
my $uri = 'certificates/' . serial_of($busy) . '/history';

for (1 .. 40) {
    $n->revoke($manage, $busy, 6);
    $n->api('DELETE', 'revoke/' . serial_of($busy), token => $manage);
}

my (@all, $next);
my $pages = 0;

do {
    my $json = $n->api('GET', $uri . ($next ? "?from=$next" : ''),
                       token => $read)->{json};

    push @all, @{ $json->{history} };
    $next = $json->{next};

} while ($next && ++$pages < 5);

is(@all, 81, 'a long history');
is($pages, 1, 'in two pieces');
is((grep { $_->{action} eq 'release' } @all), 40, 'each release in it');
is(detail($busy)->{json}{next}, 64, 'the detail has its beginning');

for ('x', '-1', '99999999999999999999') {
    is(history("?from=$_")->{status}, 400, "no place to go on: $_");
}

is_deeply(history('?from=1000')->{json}{history}, [], 'nothing so far on');


# what is only bound, or was recorded before there were books

$r = detail($unrecorded);
is($r->{status}, 200, 'a certificate that was never recorded');
is($r->{json}{recorded}, JSON::PP::false, 'says so');
is($r->{json}{$_}, undef, "has no $_")
    for qw(subject thumbprint sha256 keyType issuedAt pem);
is_deeply($r->{json}{chain}, [], 'nor a chain');
is(detail($unrecorded, accept_of('application/pkix-cert'))->{status}, 404,
   'nor DER');

$n->revoke($manage, $unrecorded, 4);
is(detail($unrecorded)->{json}{history}[0]{reason}, 'Superseded',
   'but a history');

my $old = $t->serial;

$t->redis_cli('SET', "pki:{demo}:cert:$old",
              '1 1700000000 2000000000 API somebody');
$d = detail($old)->{json};
is($d->{requester}, 'somebody', 'an old record');
is($d->{expirationDate}, '2033-05-18T03:33:20Z', 'and what it knows');
is_deeply($d->{history}, [], 'without a history');

my $nobody = '7F' . '00' x 19;

is(detail($nobody)->{status}, 404, 'one that nobody knows');
is($n->api('GET', "certificates/$nobody/history", token => $read)->{status},
   404, 'has no history');
is(detail('xyz')->{status}, 400, 'no serial number');
is(detail($cert, token => undef)->{status}, 401, 'nobody');

$t->redis_stop;
is(detail($cert)->{status}, 503, 'Redis is away');

$t->done;
