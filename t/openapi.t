# The description of the calls: it is valid, it is complete, and real replies
# of every call are as it says.

use strict;
use warnings;

use JSON::PP;
use JSON::Validator;
use MIME::Base64;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $stranger = $t->ca('stranger');
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two three four);

$cert{foreign} = $t->cert($stranger, 'foreign');
$cert{device} = $t->cert($ca, 'device', kind => 'Device', guid => $guid);

my $manage = $t->token('Alice.Admin', 'manage');
my $read = $t->token('reader', 'read');
my $enroll = $t->token('enroller', 'enroll');
my $secret = spew("$t->{dir}/secret", "nothing\n");

$t->redis;
$t->record('demo', @cert{qw(one device)});

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $t->{dir}/ca.key; crl manual;",
}, directories => {
    hr => ['push', 'max_age off;'],
    away => ['jamf', 'url https://127.0.0.1:1; client x; client_secret_file '
                     . "$secret;"],
}, http => 'pki_profile any { issuer demo; bind static; }',
   locations => <<"END");
        location /ocsp { pki_ocsp; }
        location /api/ {
            pki_api; pki_api_tokens $t->{dir}/tokens; pki_enroll any;
        }
        location /.well-known/est/ {
            pki_est; pki_api_tokens $t->{dir}/tokens; pki_enroll any;
        }
        location /crl { pki_crl demo; }
        location /ca { pki_ca demo; }
        location = /status { pki_status; }
        location = /metrics { pki_status prometheus; }
        location = /probe { pki_status probe; }
END

ok($n->ready, 'ready');


# the document

my $r = $n->http('GET', '/api/openapi.json');

is($r->{status}, 200, 'without a token');
like($r->{headers}{'content-type'}, qr{^application/json}, 'JSON');
is($r->{body}, slurp("$PKI::Test::top/src/http/openapi.json"),
   'as it is in the sources');

my $doc = decode_json($r->{body});
my $schema = JSON::Validator->new->schema($doc)->schema;

isa_ok($schema, 'JSON::Validator::Schema::OpenAPIv3');
is(join("\n", @{ $schema->errors }), '', 'is valid OpenAPI 3.0');

my $broken = decode_json($r->{body});

delete $broken->{info}{title};
isnt(@{ JSON::Validator->new->schema($broken)->schema->errors }, 0,
     'a broken one would not be');

my %ids;

for my $path (sort keys %{ $doc->{paths} }) {
    for my $method (grep { /^(get|post|put|patch|delete)$/ }
                    keys %{ $doc->{paths}{$path} })
    {
        my $op = $doc->{paths}{$path}{$method};
        my @named = map { $_->{'$ref'} // $_->{name} }
                    @{ $op->{parameters} || [] };

        ok(!$ids{ $op->{operationId} }++, "$method $path has a name");

        for my $name ($path =~ /\{(\w+)\}/g) {
            ok((grep { /(^|\/)$name$/ } @named), "and tells of $name");
        }
    }
}


# each row of the table of calls

my ($table) = slurp("$PKI::Test::top/src/http/ngx_http_pki_api.c")
              =~ /^static ngx_http_pki_route_t  \w+\[\] = \{(.*?)^\};/ms;
my $rows = 0;

while ($table =~ /\{\sngx_string\("([^"]+)"\),\s+
                  (?:ngx_null_string|ngx_string\("([^"]+)"\)),\s+
                  ([A-Z_|]+),/gx)
{
    my ($path, $suffix, $methods) = ($1, $2 // '', $3);

    for my $method (map { lc } $methods =~ /NGX_HTTP_(GET|POST|PUT|PATCH
                                                     |DELETE)/gx)
    {
        my @found = grep { $path =~ m{/$} ? m{^/\Q$path\E.*\Q$suffix\E$}
                                          : $_ eq "/$path" }
                    grep { $doc->{paths}{$_}{$method} }
                    keys %{ $doc->{paths} };

        cmp_ok(@found, '>', 0, "$method $path$suffix is described");
        $rows++;
    }
}

cmp_ok($rows, '>', 10, "$rows calls");


# real replies: method, path of the document, URI, status; the validator does
# not follow a reference to a reply

for my $path (values %{ $doc->{paths} }) {
    for my $op (grep { ref eq 'HASH' } values %$path) {
        for (values %{ $op->{responses} }) {
            $_ = $doc->{components}{responses}{$1}
                if ($_->{'$ref'} // '') =~ m{^#/components/responses/(\w+)$};
        }
    }
}

$schema = JSON::Validator->new->schema($doc)->schema;

my %seen;

sub call {
    my ($method, $path, $uri, $status, %o) = @_;

    my %headers = (Authorization => 'Bearer ' . ($o{token} // $manage),
                   %{ $o{headers} || {} });

    delete $headers{Authorization} if exists $o{token} && !defined $o{token};
    $headers{'Content-Type'} = $o{type} if $o{type};

    my $at = $doc->{paths}{$path}{servers} ? '' : '/api';
    my $r = $n->http($method, "$at$uri", headers => \%headers,
                     body => ref $o{body} ? encode_json($o{body})
                                          : $o{body});
    my ($type) = ($r->{headers}{'content-type'} // '') =~ /^([^;]*)/;
    my $json = $type eq 'application/json';
    my $op = $doc->{paths}{$path}{ lc $method };

    is($r->{status}, $status, "$method $uri: $status") or diag($r->{body});
    $seen{ lc($method) . " $path" } = 1;

    my $value = $json ? eval { decode_json($r->{body}) } : $r->{body};
    my @errors = $schema->validate_response([ lc $method, $path, $status ], {
        header => sub {
            my $value = $r->{headers}{ lc $_[0] };
            return { exists => defined $value, value => $value };
        },
        body => sub {
            return { exists => length $r->{body} ? 1 : 0, value => $value,
                     content_type => $type };
        },
    });

    is(join("\n", @errors), '', 'is as described') or diag($r->{body});
    ok($op->{responses}{$status}, 'a status that is described');
    $r->{json} = $value if $json;

    return $r;
}

# each line of a reply, and its last

sub lines {
    my ($r, $line, $last) = @_;

    my @lines = map { decode_json($_) } split /\n/, $r->{body};
    my @errors = map {
        $schema->validate($lines[$_], $schema->get("/components/schemas/"
                                          . ($_ == $#lines ? $last : $line)))
    } 0 .. $#lines;

    cmp_ok(@lines, '>', 1, 'lines');
    is(join("\n", @errors), '', "each is a $line, the last a $last");
}

isnt(join('', $schema->validate_response(
         [ 'get', '/manage/search', 400 ],
         { body => sub { { exists => 1, content_type => 'application/json',
                           value => { errorMessage => 'x' } } } })),
     '', 'a wrong one would be found');

sub der {
    my ($base64) = slurp($cert{ +shift }) =~ /-----\n(.*?)-----END/s;
    return decode_base64($base64);
}

my %serial = map { $_ => serial_of($cert{$_}) } keys %cert;
my $unknown = '507AEAC03CCEF83F106914418D9222E466A629C1';
my $ndjson = 'application/x-ndjson';

# certificates

my @path = ('POST', '/manage/certificates', '/manage/certificates');

call(@path, 201, body => der('two'));
call(@path, 200, body => der('two'));
call(@path, 400, body => der('foreign'));
call(@path, 400, body => '');
call(@path, 401, body => der('three'), token => undef);
call(@path, 403, body => der('three'), token => $read);
call(@path[0, 1], "$path[2]?issuer=nobody", 404, body => der('three'));
lines(call(@path, 200, body => slurp($cert{three}) . slurp($cert{foreign})
                               . slurp($cert{four})),
      'ImportLine', 'ImportSum');
lines(call(@path, 200, type => $ndjson, body =>
           encode_json({ certificate => slurp($cert{four}),
                         revocationReason => 1,
                         revocationDate => '2026-01-01T00:00:00Z' }) . "\n?"),
      'ImportLine', 'ImportSum');

@path = ('GET', '/manage/search', '/manage/search');

my $page = call(@path, 200)->{json};

cmp_ok(@{ $page->{items} }, '>=', 4, 'items');
ok(call(@path[0, 1], '/manage/search?pageSize=1', 200)
     ->{json}{continuationToken}, 'a page and more');
call(@path[0, 1], '/manage/search?effective=good', 200);
call(@path[0, 1], '/manage/search?fields=serialNumber,object', 200);
call(@path[0, 1], '/manage/search?format=csv', 200);
lines(call(@path[0, 1], '/manage/search?format=ndjson', 200),
      'SearchItem', 'SearchItem');
call(@path[0, 1], '/manage/search?pageSize=501', 400);
call(@path[0, 1], '/manage/search?colour=blue', 400);
call(@path, 401, token => undef);

@path = ('GET', '/manage/certificates/{serial}', '/manage/certificates/');

call(@path[0, 1], $path[2] . $serial{$_}, 200) for qw(one two four device);
call(@path[0, 1], $path[2] . $serial{one}, 200,
     headers => { Accept => 'application/pkix-cert' });
call(@path[0, 1], $path[2] . $serial{one}, 200,
     headers => { Accept => 'application/x-pem-file' });
call(@path[0, 1], $path[2] . $unknown, 404);
call(@path[0, 1], $path[2] . 'xyz', 400);
call('GET', '/manage/certificates/{serial}/history',
     "/manage/certificates/$serial{four}/history", 200);

# revocations

@path = ('PATCH', '/manage/revoke/{serial}', '/manage/revoke/');

call(@path[0, 1], $path[2] . $serial{one}, 200,
     body => { revocationReason => 6, comment => 'lost',
               invalidityDate => '2027-01-01T00:00:00Z' });
call('GET', '/manage/certificates/{serial}',
     "/manage/certificates/$serial{one}", 200);
call('DELETE', @path[1, 2], 400);
call('DELETE', $path[1], $path[2] . $serial{one}, 200);
call('DELETE', $path[1], $path[2] . $serial{one}, 409);
call(@path[0, 1], $path[2] . $serial{one}, 200,
     body => { revocationReason => 1 });
call(@path[0, 1], $path[2] . $serial{one}, 409,
     body => { revocationReason => 4 });
call(@path[0, 1], $path[2] . $serial{one}, 400, body => '{}');
call(@path[0, 1], $path[2] . $serial{one}, 413, body => ' ' x 100_000);
call(@path[0, 1], $path[2] . $unknown, 404, body => { revocationReason => 1 });
call(@path[0, 1], $path[2] . $serial{one}, 403, token => $read,
     body => { revocationReason => 1 });

@path = ('POST', '/manage/revoke', '/manage/revoke');

lines(call(@path, 200, body => { serials => [ @serial{qw(two one)}, $unknown ],
                                 revocationReason => 4, dryRun => $_ }),
      'RevokeLine', 'RevokeSum') for \1, \0;
lines(call(@path, 200, body => { object => "device/$guid",
                                 revocationReason => 6 }),
      'RevokeLine', 'RevokeSum');
lines(call(@path, 200, body => { object => "device/$guid",
                                 revocationReason => 8 }),
      'RevokeLine', 'RevokeSum');
call(@path, 400, body => { revocationReason => 4 });
call(@path, 401, token => undef, body => { revocationReason => 4 });

# directories

call('GET', '/directories', '/directories', 200);
call('POST', '/directories/{directory}/sync', '/directories/away/sync', 202);
call('POST', '/directories/{directory}/sync', '/directories/none/sync', 404);
call('POST', '/directories/{directory}/sync', '/directories/hr/sync', 409);
call('POST', '/directories/{directory}/release', '/directories/away/release',
     202);

my @object = ('/directory/{directory}/objects/{class}/{id}',
              "/directory/hr/objects/device/$guid");

call('GET', @object, 404);
call('PUT', @object, 200, body => { enabled => JSON::PP::false });
call('PUT', @object, 200, body => { enabled => JSON::PP::true,
                                    compliant => JSON::PP::false,
                                    owner => "user/$guid" });
call('PUT', @object, 400, body => {});
call('PUT', @object, 403, body => {}, token => $read);
call('PUT', $object[0], "/directory/away/objects/jamf-computer/1", 409,
     body => { enabled => JSON::PP::true });
call('GET', @object, 200);
call('DELETE', @object, 200);
call('GET', '/directory/{directory}/certificates',
     '/directory/hr/certificates', 409);

# enrolment

my $csr = "$t->{dir}/one.pem.csr";

call('POST', '/csr', '/csr', 200, token => $enroll, body => slurp($csr));
call('POST', '/csr', '/csr', 400, token => $enroll, body => 'nothing');
call('POST', '/csr', '/csr', 401, token => undef, body => 'nothing');
call('POST', '/csr', '/csr', 403, token => $read, body => slurp($csr));

my $est = '/.well-known/est';

call('GET', ("$est/cacerts") x 2, 200, token => undef);
call('GET', ("$est/csrattrs") x 2, 204, token => undef);
call('POST', ("$est/simpleenroll") x 2, 200, token => $enroll,
     body => slurp($csr));
call('POST', ("$est/simpleenroll") x 2, 401, token => undef,
     body => slurp($csr));
call('POST', ("$est/simplereenroll") x 2, 403, token => undef,
     body => slurp($csr));

# what needs no token

call('GET', ('/ca') x 2, 200, token => undef);
ok(wait_until(20, sub { $n->http('GET', '/crl/')->{status} == 200 }),
   'there is a CRL');
call('GET', '/crl/{file}', '/crl/', 200, token => undef);
call('GET', '/crl/{file}', '/crl/demo.pem', 200, token => undef);

my $request = ocsp_request([ certid($ca, $serial{one}) ]);

call('POST', ('/ocsp') x 2, 200, token => undef, body => $request,
     type => 'application/ocsp-request');
call('GET', '/ocsp/{request}', '/ocsp/' . path_of($request) =~ s/\//%2F/gr,
     200, token => undef);
call('GET', ($_) x 2, 200, token => undef) for qw(/status /metrics /probe);
call('GET', ('/openapi.json') x 2, 200, token => undef);

# without Redis

$t->redis_stop;
$t->allow(qr/store/);

call('POST', '/manage/revoke', '/manage/revoke', 503,
     body => { serials => [ $serial{three} ], revocationReason => 4 });
call('GET', '/manage/search', '/manage/search', 503);
call('PATCH', '/manage/revoke/{serial}', "/manage/revoke/$serial{three}", 503,
     body => { revocationReason => 4 });
call('POST', '/manage/certificates', '/manage/certificates', 503,
     body => der('three'));

# the CRL by token has the same handler as that without

my @unseen = grep { !$seen{$_} && !m{^get /crl/pem/} } map {
    my $path = $_;
    map { "$_ $path" } grep { /^(get|post|put|patch|delete)$/ }
                       keys %{ $doc->{paths}{$path} };
} sort keys %{ $doc->{paths} };

is("@unseen", '', 'every call was made');

$t->done;
