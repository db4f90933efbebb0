# Certificates that were issued elsewhere: in every form that they come in,
# with what was known of them, and what is refused.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $open = $t->ca('open');
my $stranger = $t->ca('stranger');
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my %cert = map { $_ => $t->cert($ca, $_) }
           qw(der b64 pem one two three four five six seven nine);

$cert{upn} = $t->cert($ca, 'upn', kind => 'User', guid => $guid, ext =>
    "subjectAltName=DNS:host.example,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:"
    . "anna\@example.com\n");
$cert{other} = $t->cert($second, 'other');
$cert{foreign} = $t->cert($stranger, 'foreign');
$cert{early} = $t->cert($open, 'early', kind => 'Device', guid => $guid);
$cert{twin} = $t->cert($ca, 'twin', serial => serial_of($cert{one}));
$cert{again} = $t->cert($ca, 'again', serial => serial_of($cert{b64}));

my $manage = $t->token('Alice.Admin', 'manage');
my $read = $t->token('reader', 'read');

$t->redis;

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $t->{dir}/ca.key;",
    second => "certificate $second; key $t->{dir}/second.key;",
    open => "certificate $open; key $t->{dir}/open.key; unknown serial;",
}, server => 'client_max_body_size 100m; client_body_buffer_size 64k;'
            . 'location /memory/ { client_body_buffer_size 8m; pki_api;'
            . "pki_api_tokens $t->{dir}/tokens; }");

ok($n->ready, 'ready');

sub pem { return slurp($cert{ +shift } // $_[0]) }

sub der {
    my ($pem) = pem(@_) =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/s;
    return decode_base64($pem);
}

sub b64 { return encode_base64(der(@_), '') }

sub import_of {
    my ($body, %o) = @_;

    my $r = $n->http('POST', ($o{at} // '/api') . '/manage/certificates'
                             . ($o{args} // ''),
                     body => $body, headers => {
        Authorization => 'Bearer ' . ($o{token} // $manage),
        'Content-Type' => $o{type} // 'application/octet-stream',
    });

    $r->{json} = eval { decode_json($r->{body}) };
    $r->{lines} = [ map { eval { decode_json($_) } || diag("no JSON: $_") }
                    split /\n/, $r->{body} ];

    return $r;
}

# "line result" of each, in the order of lines, and what is at the end

sub results {
    my ($r) = @_;

    my @lines = @{ $r->{lines} };
    my $sum = pop @lines;

    return (join(', ', map { "$_->{line} $_->{result}" }
                       sort { $a->{line} <=> $b->{line} } @lines),
            join ' ', map { "$_=$sum->{$_}" } grep { $sum->{$_} }
                      sort keys %$sum);
}

sub line { return encode_json({ @_ }) . "\n" }
sub status_of { return $n->ask($ca, $cert{ +shift })->{cert} }
sub audit { return $t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+') }

# the row of a certificate in the book

sub row {
    my ($name, $issuer) = @_;

    my $serial = serial_of($cert{$name});
    my ($row) = grep { /\t$serial\t/ }
                split /\n/, $t->redis_cli('get', 'pki:{' . ($issuer // 'demo')
                                                . '}:page:1');

    return $row // '';
}


# one

is(status_of('der'), 'unknown', 'nobody knows it');

my $r = import_of(der('der'));

is($r->{status}, 201, 'DER') or diag($r->{body});
like($r->{headers}{'content-type'}, qr{^application/json}, 'plain JSON');
is_deeply($r->{json}, { serialNumber => serial_of($cert{der}),
                        issuer => 'demo', result => 'imported',
                        message => undef }, 'imported');
is(status_of('der'), 'good', 'and good, at once');

$r = import_of(der('der'));
is($r->{status}, 200, 'again');
is($r->{json}{result}, 'same', 'is the same');

for ([b64 => b64('b64')], [pem => pem('pem')],
     [one => b64('one') =~ s/(.{64})/$1\r\n/gr],
     [two => pem('two') =~ s/\n//gr])
{
    my ($name, $body) = @$_;

    $r = import_of($body);
    is($r->{status}, 201, "$name: base64 or PEM") or diag($r->{body});
    is(status_of($name), 'good', 'good');
}

$r = import_of(der('twin'));
is($r->{status}, 409, 'another certificate of the same serial number');
like($r->{json}{errorMessage}, qr/serial number/, 'and it says so');
is(status_of('one'), 'good', 'the first is as it was');

my %refused = (
    'of another CA' => [der('foreign'), qr/not signed by an issuer here/],
    'the CA itself' => [do { $cert{ca} = $ca; der('ca') }, qr/own/],
    'half a certificate' => [substr(der('three'), 0, 200), qr/certificate/],
    'with something behind it' => [der('three') . 'x', qr/certificate/],
    'no certificate' => ["0\x03\x02\x01\x01", qr/certificate/],
    'text' => ['hello, world!', qr/base64/],
    'a request' => [slurp("$t->{dir}/one.pem.csr"), qr/no certificate/],
    'nothing' => ['', qr/empty/],
    'blanks' => [" \n", qr/empty/],
    'half a PEM block' => [substr(pem('three'), 0, 100), qr/does not end/],
    'a changed one' => [do { my $d = der('three'); substr($d, -3, 1) ^= 'x';
                             $d }, qr/not signed|certificate/],
);

for (sort keys %refused) {
    my ($body, $why) = @{ $refused{$_} };

    $r = import_of($body);
    is($r->{status}, 400, $_) or diag($r->{body});
    like($r->{json}{errorMessage}, $why, 'and it says why');
    is($r->{json}{errorCode}, 400, 'an error like all others');
}

is(status_of('three'), 'unknown', 'none of them was taken');

is(import_of(der('three'), token => $read)->{status}, 403,
   'who reads does not write');
is($n->http('POST', '/api/manage/certificates', body => der('three'))
     ->{status}, 401, 'nobody does not either');
is($n->api('PUT', 'certificates', token => $manage, body => '')->{status},
   405, 'PUT');
is(import_of(der('three'), args => '?issuer=second')->{status}, 400,
   'not of the issuer that is named');
is(import_of(der('three'), args => '?issuer=nobody')->{status}, 404,
   'no such issuer');
is(import_of(der('three'), args => '?source=nothing')->{status}, 400,
   'no such source');
is(status_of('three'), 'unknown', 'nothing was taken');
is(import_of(der('three'), args => '?issuer=demo&source=jamf')->{status},
   201, 'with an issuer and a source');
is((split /\t/, row('three'))[4], 5, 'which the row has');


# a bundle

$r = import_of("Some text\n" . pem('four') . "more\n" . pem('foreign')
               . slurp("$t->{dir}/ca.key") . pem('other') . pem('four'));

is($r->{status}, 200, 'a bundle');
like($r->{headers}{'content-type'}, qr{^application/x-ndjson}, 'in lines');

my $foreign = 3 + (() = pem('four') =~ /\n/g);
my ($results, $sum) = results($r);

is($results =~ s/\d+ //gr, 'imported, refused, refused, imported, same',
   'each has its line');
is($sum, 'imported=2 refused=2 same=1', 'and the sum is right');
like($results, qr/^2 imported, $foreign refused, /, 'which is that of the body');
is(status_of('four'), 'good', 'good');
is($n->ask($second, $cert{other})->{cert}, 'good',
   'each by its own issuer');
unlike($r->{body} . $n->log, qr/PRIVATE|MHcC|MIG[HT]/, 'no key is repeated');


# lines

$r = import_of(
    line(certificate => b64('five'), source => 'Intune', requester => 'Bert')
    . "\n"
    . line(certificate => pem('six'), revocationReason => 1,
           revocationDate => '2026-01-02T03:04:05Z', revokedBy => 'Carla',
           invalidityDate => '2025-12-31T00:00:00Z')
    . line(certificate => b64('foreign'))
    . line(certificate => 'x')
    . "not JSON\n"
    . line(certificate => b64('seven'), revocationReason => 7)
    . line(certificate => b64('seven'), revocationReason => 8)
    . line(certificate => b64('seven'), revocationReason => 1,
           revocationDate => '2999-01-01T00:00:00Z')
    . line(certificate => b64('seven'), revokedBy => 'Carla')
    . line(certificate => b64('seven'), source => 'nothing')
    . line(certificate => b64('seven'), colour => 'blue')
    . line(source => 'Intune')
    . line(certificate => 'A' x 100_000)
    . line(certificate => b64('seven'), revocationReason => undef)
    . line(certificate => b64('upn')) =~ s/\n$//r,
    type => 'application/x-ndjson');

is($r->{status}, 200, 'lines');
($results, $sum) = results($r);
is($results, join(', ', '1 imported', '3 imported',
                  (map { "$_ refused" } 4 .. 14), '15 imported',
                  '16 imported'), 'one result for each');
is($sum, 'imported=4 refused=11', 'the sum');
is((grep { !exists $_->{message} || $_->{result} eq 'refused'
           && !$_->{message} } @{ $r->{lines} }[0 .. 14]), 0,
   'each that is refused says why');

is((split /\t/, row('five'))[4], 1, 'source');
like(row('five'), qr/\tBert$/, 'requester');
is((split /\t/, row('five'))[3], (split /\t/, row('five'))[1],
   'issued when it was, not when it came here');
like(row('seven'), qr/\tAlice.Admin$/, 'or who imports it');
like(row('upn'), qr{\tuser/$guid\t}, 'the object of the serial number');
is(join('|', (split /\t/, row('upn'))[11, 12]),
   'DNS:host.example, UPN:anna@example.com|anna@example.com', 'names, UPN');
is($t->redis_cli('hget', 'pki:{demo}:bound', "user/$guid") ne '', 1,
   'is found by its object');

my $six = $n->ask($ca, $cert{six});

is($six->{cert}, 'revoked', 'one that is revoked');
is($six->{reason}, 1, 'with its reason');
is($six->{revoked_at}, 1767323045, 'since when it was');
like($t->redis_cli('hget', 'pki:{demo}:revoked', serial_of($cert{six})),
     qr/^1 1 1767323045 1767139200 Carla$/, 'by whom, and invalid since when');
like(row('six'), qr/^1/, 'the row has it too');
like(row('five'), qr/^-/, 'and others have none');

my @actions = audit() =~ /^(revoke|import)\nserial\n([0-9A-F]+)$/mg;
my %actions;

while (my ($action, $serial) = splice @actions, 0, 2) {
    push @{ $actions{$serial} }, $action;
}

is_deeply($actions{ serial_of($cert{six}) }, ['revoke', 'import'],
          'revoked first, so that it was never good');
is_deeply($actions{ serial_of($cert{five}) }, ['import'], 'imported, once');
like(audit(), qr/Alice\.Admin/, 'by whom');

$r = import_of(line(certificate => b64('six'), revocationReason => 4),
               type => 'application/x-ndjson');
is($r->{lines}[0]{result}, 'same', 'again, with another reason');
like($r->{lines}[0]{message}, qr/another reason/, 'is told');
is($n->ask($ca, $cert{six})->{reason}, 1, 'and the first one stays');


# a revocation that comes before the import

is($n->revoke($manage, $cert{early}, 6)->{status}, 200,
   'its serial number carries its object: it can be revoked unrecorded');
is(import_of(der('early'))->{status}, 201, 'and imported later');
like(row('early', 'open'), qr/^6/, 'the row says that it is on hold');
is($n->ask($open, $cert{early})->{reason}, 6, 'and OCSP');
is($n->revoke($manage, $cert{early}, 8)->{status}, 200, 'released');
like(row('early', 'open'), qr/^-/, 'the row says that, too');

$r = $n->api('GET', 'certificates/' . serial_of($cert{early}),
             token => $read);
is(join(' ', map { $_->{action} } @{ $r->{json}{history} }),
   'revoke import release', 'and the history') or diag($r->{body});


# many, which nginx keeps in a file

my @names = qw(der b64 pem one two three four five nine);
my @body = map { line(certificate => b64($names[$_ % @names])) } 1 .. 3000;
my ($worker) = $n->workers;

sub resident {
    return slurp("/proc/$worker/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0;
}

import_of(join '', @body[0 .. 100]);

my $before = resident();
my $start = time;

$r = import_of(join('', @body), type => 'application/x-ndjson');

my $took = time - $start;

is($r->{status}, 200, '3000 certificates');
is(scalar @{ $r->{lines} }, 3001, 'a line for each');
is(scalar(keys %{ { map { $_->{line} => 1 } @{ $r->{lines} }[0 .. 2999] } }),
   3000, 'each of its own');
is((results($r))[1], 'same=3000', 'which were there');
cmp_ok($took, '<', 8, sprintf 'in %.1f s', $took);
cmp_ok(resident() - $before, '<', 8192, 'in bounded memory')
    unless $ENV{TEST_PKI_SANITIZER};


$r = import_of(join('', @body), at => '/memory',
               type => 'application/x-ndjson');
is((results($r))[1], 'same=3000', 'and from memory');


# who sends much and does not read for a while

sub begin {
    my ($body) = @_;

    my $socket = http_connect($n->{port});

    http_send($socket, "POST /api/manage/certificates HTTP/1.1\r\n"
              . "Host: localhost\r\nConnection: close\r\n"
              . "Authorization: Bearer $manage\r\n"
              . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    return $socket;
}

my $socket = begin("{}\n" x 60_000);

sleep 1;
is(status_of('one'), 'good', 'he holds nobody up');
$r = http_read($socket, 'POST');
is(() = ($r->{body} =~ /"result":"refused"/g), 60_000,
   'a line for each, however late');
like($r->{body}, qr/"line":60000,.*\n\{.*"refused":60000,.*\}\n$/,
     'in order');
cmp_ok(resident() - $before, '<', 8192, 'in bounded memory')
    unless $ENV{TEST_PKI_SANITIZER};


# who leaves

my $body = join '', @body;

$socket = begin($body);
close $socket;

is(status_of('nine'), 'good', 'OCSP goes on, whoever leaves');
ok(wait_until(5, sub { import_of(der('nine'))->{status} == 200 }),
   'and so do others');


# another one of that serial number, which is said to be revoked

$r = import_of(line(certificate => b64('again'), revocationReason => 1),
               type => 'application/x-ndjson');
is($r->{lines}[0]{result}, 'conflict', 'another certificate, revoked');
like($r->{lines}[0]{message}, qr/revoked now/, 'what became of it is told');
is(status_of('b64'), 'revoked', 'and so it is');


# without Redis

$t->allow(qr/store/);
$t->redis_stop;

$r = import_of(der('nine'));
is($r->{status}, 503, 'no acknowledgement, no 2xx');
ok($r->{headers}{'retry-after'}, 'Retry-After');

$r = import_of(line(certificate => b64('one')) . line(certificate => 'x')
               . line(certificate => b64('two')));
is((results($r))[1], 'failed=2 refused=1', 'each is named');

$t->redis;
ok(wait_until(10, sub { import_of(der('nine'))->{status} == 200 }),
   'it goes on');

$t->done;
