# The requests of SCEPman's clients to its management API, octet for octet:
# SCEPmanClient under Windows PowerShell and PowerShell 7, and curl as in the
# documentation.

use strict;
use warnings;

use JSON::PP;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $token = $t->token('admin', 'manage');
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two three);
my %serial = map { $_ => uc serial_of($cert{$_}) } keys %cert;

$t->redis;
run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer', 'demo',
       '--source', $_->[1], $cert{ $_->[0] })
    for [one => 'CertificateMaster'], [two => 'API'], [three => 'StaticAAD'];

my $n = $t->nginx;

ok($n->ready, 'ready');

# what stands around the request

my %clients = (
    'Windows PowerShell' => [
        'User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) '
        . 'WindowsPowerShell/5.1.20348.2227',
        'Connection: Keep-Alive',
    ],
    'PowerShell 7' => [
        'User-Agent: Mozilla/5.0 (Windows NT 10.0; Microsoft Windows '
        . '10.0.20348; en-US) PowerShell/7.4.1',
        'Accept-Encoding: gzip, deflate, br',
    ],
    'curl' => ['User-Agent: curl/8.5.0', 'Accept: */*'],
);

sub request {
    my ($client, $method, $uri, $body) = @_;

    my @lines = ("$method $uri HTTP/1.1",
                 "Authorization: Bearer $token", @{ $clients{$client} },
                 'Host: pki.example.com');

    push @lines, 'Content-Type: application/json',
         'Content-Length: ' . length $body if defined $body;

    my $r = http_raw($n->{port}, join("\r\n", @lines) . "\r\n\r\n"
                                 . ($body // ''));

    $r->{json} = eval { decode_json($r->{body}) };
    return $r;
}

# PowerShell reads names of properties in any case; types must be right

sub row_ok {
    my ($row, $what) = @_;

    my @bad = grep { !exists $row->{$_} }
              qw(serialNumber subject sans upn issuanceDate expirationDate
                 revocationDate revocationReason revokedBy requester source
                 certificateType);

    is("@bad", '', "$what: all that the documentation names");
    like($row->{serialNumber}, qr/^[0-9A-F]{40}$/, "$what: serial number");
    like($row->{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "$what: $_")
        for qw(issuanceDate expirationDate);
    like($row->{certificateType}, qr/^(?:Static|DC|User|Device)$/,
         "$what: type");
}


for my $client (sort keys %clients) {

    # Find-SCEPmanCertificate and the like: empty parameters are left out,
    # the base URL ends in a slash

    for my $uri ('/api/manage/search', '//api/manage/search',
                 '/api/manage/search/')
    {
        my $r = request($client, 'GET', $uri);

        is($r->{status}, 200, "$client: $uri");
        is(scalar @{ $r->{json}{items} }, 3, 'all rows');
        ok(exists $r->{json}{continuationToken}
           && !defined $r->{json}{continuationToken}, 'a token that is null');
        row_ok($_, $client) for @{ $r->{json}{items} };
    }

    my $r = request($client, 'GET', '/api/manage/search?SearchText=CN%3Dtw'
                    . '&PageSize=1&CertValidity=Active&CertType=Static');

    is($r->{json}{items}[0]{subject}, 'CN=two', "$client: filters");

    my $next = $r->{json}{continuationToken};

    is($next, undef, 'one page');

    $r = request($client, 'GET', '/api/manage/search?searchText=CN%3D'
                 . '&pageSize=2');
    is(scalar @{ $r->{json}{items} }, 2, "$client: two rows");
    ok(defined($next = $r->{json}{continuationToken}), 'and a token');

    # documented: the token alone; the client also sends the rest again

    for my $query ("ContinuationToken=$next",
                   "SearchText=CN%3D&PageSize=2&ContinuationToken=$next",
                   "continuationToken=$next")
    {
        $r = request($client, 'GET', "/api/manage/search?$query");
        is($r->{json}{items}[0]{subject}, 'CN=one', "$client: the last row");
        is($r->{json}{continuationToken}, undef, 'and no more');
    }

    for (['Sources=0', 'one'], ['Sources=7&Sources=4', 'three two'],
         ['Sources=1&Sources=9', ''], ['Sources=0&Sources=1&Sources=3'
          . '&Sources=4&Sources=5&Sources=6&Sources=7&Sources=8&Sources=9'
          . '&Sources=10', 'three two one'])
    {
        my ($query, $names) = @$_;

        $r = request($client, 'GET', "/api/manage/search?$query");
        is(join(' ', map { $_->{subject} =~ s/CN=//r } @{ $r->{json}{items} }),
           $names, "$client: $query");
    }
}


# Revoke-SCEPmanCertificate: ConvertTo-Json writes line ends of Windows

for (['Windows PowerShell', one => qq({\r\n    "revocationReason":  4,\r\n)
      . qq(    "revoker":  null\r\n}), 'admin'],
     ['PowerShell 7', two => qq({\n  "revoker": "ann\@example.com",\n)
      . qq(  "revocationReason": 1\n}),
      'ann@example.com through API user admin'],
     ['curl', three => '{"revocationReason":6}', 'admin'])
{
    my ($client, $name, $body, $who) = @$_;

    my $uri = "/api/manage/revoke/$serial{$name}";
    my $r = request($client, 'PATCH', $uri, $body);

    is($r->{status}, 200, "$client: revoked");

    $r = request($client, 'GET', '/api/manage/search?CertValidity=Revoked'
                 . "&SearchText=$serial{$name}");

    my $row = $r->{json}{items}[0];

    is($row->{revokedBy}, $who, 'by whom');
    like($row->{revocationDate}, qr/^\d{4}-.*Z$/, 'when');
    like($row->{revocationReason}, qr/^[A-Z]\w+$/, 'a name for a reason');

    $r = request($client, 'PATCH', $uri, '{"revocationReason":3}');
    next if $name eq 'three';
    is($r->{status}, 409, "$client: already revoked");
    is($r->{json}{errorCode}, 5013, 'by its code');
    is($r->{json}{errorMessage}, 'The certificate is already revoked.',
       'and in its words');
}

my $r = request('curl', 'PATCH', '/api/manage/revoke/507AEAC03CCEF83F1069144'
                . '18D9222E466A629C1', '{"revocationReason":1}');

is($r->{status}, 404, 'an unknown certificate');
is_deeply([ @{ $r->{json} }{qw(errorCode errorMessage)} ],
          [7012, 'Certificate not found.'], 'by its code and in its words');

$t->done;
