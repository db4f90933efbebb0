# The search: what is found by which question, in which order, in which form,
# and whose certificates one may see.

use strict;
use warnings;

use utf8;
use JSON::PP;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $manage = $t->token('Alice.Admin', 'manage');
my $read = $t->token('reader', 'read');
my $enroll = $t->token('enroller', 'enroll');

$t->redis;

# name => [issuer, options of a certificate, options of its record]; in the
# order of their recording

my @certs = (
    laptop => [$ca, { kind => 'Device', guid => $guid,
                      ext => 'subjectAltName=DNS:laptop-7.example.com,IP:10.0.0.7'
                             . "\n" },
               [qw(--source Intune --requester jamf-proxy)]],
    Anna => [$ca, { kind => 'User', guid => $guid,
                    ext => 'subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;'
                           . "UTF8:Anna.Berg\@Example.com\n" },
             [qw(--source StaticAAD)]],
    server => [$ca, { ext => "subjectAltName=DNS:www.example.com\n" },
               ['--source', 'API', '--requester', 'Bob, "the builder"']],
    '=cmd' => [$ca, { days => 30 }, [qw(--source CertificateMaster)]],
    dc => [$ca, { kind => 'DomainController', guid => $guid =~ tr{d}{e}r,
                  days => 20 },
           [qw(--source DomainController)]],
    tablet => [$ca, { kind => 'JamfDevice', id => 17 }, [qw(--source Jamf)]],
    other => [$second, { days => 900 }, [qw(--source API)]],
);

my %certs = @certs;
my %serial;
my @names = map { $certs[2 * $_] } 0 .. $#certs / 2;

for my $name (@names) {
    my ($issuer, $options, $record) = @{ $certs{$name} };
    my $file = $t->cert($issuer, $name, %$options);

    $serial{$name} = uc serial_of($file);
    run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer',
           $issuer eq $ca ? 'demo' : 'second', @$record, $file);
}

# one that has ended

my $old = "$t->{dir}/old.pem";

$serial{old} = $t->serial;
run_ok('openssl', 'req', '-new', '-key', $t->key('leaf'), '-subj', '/CN=old',
       '-out', "$old.csr");
run_ok('faketime', '2021-03-04 05:06:07', 'openssl', 'x509', '-req', '-in',
       "$old.csr", '-CA', $ca, '-CAkey', "$t->{dir}/ca.key", '-days', 30,
       '-set_serial', "0x$serial{old}", '-out', $old);
run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer', 'demo',
       '--source', 'CertificateMaster', $old);
unshift @names, 'old';

my %name = reverse %serial;
my $h2 = free_port();
my $api = "location /api/ { pki_api; pki_api_tokens $t->{dir}/tokens; }";
my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $t->{dir}/ca.key;",
    second => "certificate $second; key $t->{dir}/second.key;",
}, issuer => 'unknown serial;', directories => { hr => ['push', ''] },
   http => "gzip_types text/csv application/x-ndjson; gzip_min_length 0;"
           . "server { listen 127.0.0.1:$h2 http2; gzip on; $api }");

ok($n->ready, 'ready');

sub search {
    my ($query, %o) = @_;

    return $n->api('GET', 'search' . (length $query ? "?$query" : ''),
                   token => $manage, %o);
}

# the names of what is found, in this order

sub found {
    my ($query, $names, $what) = @_;

    my $r = search($query);
    my @got = map { $name{ $_->{serialNumber} } // '?' }
              @{ $r->{json}{items} || [] };

    is($r->{status}, 200, "$what: 200") or diag($r->{body});
    is("@got", $names, $what);

    return $r;
}

sub escape { return $_[0] =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger }

my $all = 'old tablet dc =cmd server Anna laptop other';


# who may

is(search('', token => undef)->{status}, 401, 'nobody');
is(search('', token => $enroll)->{status}, 403, 'another role');
is(search('', token => $read)->{status}, 200, 'a reader');


# what a row says

my $r = found('', $all, 'everything, newest first, issuer by issuer');
my ($server) = grep { $_->{serialNumber} eq $serial{server} }
               @{ $r->{json}{items} };
my ($anna) = grep { $_->{serialNumber} eq $serial{Anna} }
             @{ $r->{json}{items} };

is($r->{json}{continuationToken}, undef, 'and no more');
like($r->{headers}{'content-type'}, qr{^application/json}, 'in JSON');
like($r->{headers}{'cache-control'}, qr{no-store}, 'not to be stored');

my @fields = qw(serialNumber subject sans upn issuanceDate expirationDate
                revocationDate revocationReason revokedBy requester source
                certificateType issuer thumbprint object issuedAt);

$r->{body} =~ /"items":\[\{(.*?)\}/;
is(join(' ', $1 =~ /"(\w+)":/g), "@fields", 'in this order');

my $x509 = run_ok('openssl', 'x509', '-in', "$t->{dir}/server.pem", '-noout',
                  '-fingerprint', '-sha1', '-dates', '-dateopt', 'iso_8601');
my ($print) = $x509 =~ /Fingerprint=(\S+)/;
my @dates = map { s/ /T/r } $x509 =~ /(?:Before|After)=(.*)/ig;

is_deeply({ map { $_ => $server->{$_} } grep { $_ ne 'issuedAt' } @fields },
          { serialNumber => $serial{server}, subject => 'CN=server',
            sans => 'DNS:www.example.com', upn => undef,
            issuanceDate => $dates[0], expirationDate => $dates[1],
            revocationDate => undef, revocationReason => undef,
            revokedBy => undef, requester => 'Bob, "the builder"',
            source => 'API', certificateType => 'Static', issuer => 'demo',
            thumbprint => $print =~ s/://gr, object => undef },
          'a row');
like($server->{issuedAt}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'and when');
is($anna->{upn}, 'Anna.Berg@Example.com', 'a UPN');
is($anna->{object}, "user/$guid", 'an object');
is($anna->{certificateType}, 'User', 'a type');

$r = search('fields=upn,SERIALNUMBER&pageSize=1');
is($r->{body} =~ s/"continuationToken":".*?"/"continuationToken":""/r,
   qq({"items":[{"serialNumber":"$serial{old}","upn":null}],)
   . '"continuationToken":""}', 'only some fields');


# text

found('searchText=' . lc substr($serial{laptop}, 0, 11), 'laptop',
      'a part of a serial number');
found('SearchText=' . substr($print =~ s/://gr, 3, 17), 'server',
      'of a thumbprint');
found('SEARCHTEXT=CN%3dSERVER', 'server', 'of a subject, in any case');
found('searchText=Laptop-7.EXAMPLE', 'laptop', 'of a DNS name');
found('searchText=10.0.0.7', 'laptop', 'of an address');
found('searchText=anna.berg%40', 'Anna', 'of a UPN');
found('searchText=the+BUILDER', 'server', 'of a requester');
found('searchText=example.com', 'server Anna laptop', 'of several');
found('searchText=%3Dcmd', '=cmd', 'with signs');
found('searchText=nothing-like-it', '', 'of none');
found('searchText=Intune', '', 'a source is no text');
found('upn=ANNA.BERG%40example.com', 'Anna', 'a whole UPN');
found('upn=anna.berg', '', 'not a part of one');


# filters

found('certType=User', 'Anna', 'users');
found('certtype=static', 'old =cmd server other', 'static ones');
found('CertType=Device', 'tablet laptop', 'devices');
found('CertType=DC', 'dc', 'domain controllers');
found('Sources=5&Sources=6', 'tablet dc', 'sources by number');
found('sources=intune', 'laptop', 'by name');
found('certSource=' . escape('SCEP (Generic)'), 'dc Anna', 'a group');
found('certSource=REST&searchText=www', 'server', 'and a text');
found('certSource=SCEP&certType=Device', 'tablet laptop', 'and a type');
found('issuer=second', 'other', 'an issuer');
found('certValidity=Active', $all =~ s/old //r, 'those that are valid');
found('certValidity=Expired', 'old', 'one has ended');
found('certValidity=Any', $all, 'any');

my $day = sub { my @t = gmtime(time + 86400 * shift);
                sprintf '%04d-%02d-%02d', $t[5] + 1900, $t[4] + 1, $t[3] };

found('expiresBefore=' . $day->(25) . '&certValidity=Active', 'dc',
      'those that end soon');
found('expiresBefore=' . $day->(40) . '&expiresAfter=' . $day->(25), '=cmd',
      'somewhat later');
found('expiresAfter=' . $day->(400), 'other', 'much later');
found('issuedAfter=' . $day->(-1), $all, 'of these days');
found('issuedBefore=' . $day->(-1), '', 'of long ago');
found('issuedBefore=' . $day->(1) . 'T09%3A00%3A00%2B09:00&certType=DC', 'dc',
      'a time with an offset');


# keys

found('thumbprint=' . lc escape($print), 'server', 'a thumbprint');
found('thumbprint=' . '0' x 40, '', 'of none');
found("object=user%2F$guid", 'Anna', 'an object');
found("objectId=\U$guid", 'Anna laptop', 'a GUID, of whatever it is');
found('object=jamf-device/17', 'tablet', 'a number');
found('object=jamf-device/18', '', 'of none');
found("object=$guid&certType=Device", 'laptop', 'with a filter');
found("object=$guid&searchText=berg", 'Anna', 'with a text');
found("object=user/$guid&thumbprint=" . '0' x 40, '', 'with a thumbprint');
found("object=user/$guid&searchText=$serial{dc}", '', 'and a serial number');
found('thumbprint=' . $print =~ s/://gr . '&searchText=' . $print =~ s/://gr,
      'server', 'twice the same');
found("searchText=$serial{dc}", 'dc', 'a whole serial number');
found('searchText=' . join(':', lc($serial{other}) =~ /../g), 'other',
      'with colons');
found('searchText=' . $print =~ s/://gr, 'server', 'a whole thumbprint');
found("searchText=$serial{dc}&certType=User", '', 'of another type');


# orders

found('sort=serial', join(' ', map { $name{$_} } sort values %serial),
      'by serial number');
found('sort=-serial', join(' ', map { $name{$_} } reverse sort values %serial),
      'and from its end');
found('sort=subject', '=cmd Anna dc laptop old other server tablet',
      'by subject, in any case');
found('sort=-expires&certType=Static', 'other server =cmd old', 'by their ends');
found('sort=expires&pageSize=2', 'old dc', 'the first of them');


# pages

for my $query ('', 'sort=subject', 'sort=-issued', 'searchText=CN%3D',
               'certType=Static&sort=serial', "object=$guid")
{
    my @whole = map { $_->{serialNumber} } @{ search($query)->{json}{items} };
    my (@got, $token);
    my $pages = 0;

    do {
        my $r = search(defined $token ? "continuationToken=$token"
                                      : "$query&pageSize=1");
        my $items = $r->{json}{items};

        is(@$items, 1, 'one row') if $pages < @whole;
        push @got, map { $_->{serialNumber} } @$items;
        $token = $r->{json}{continuationToken};

    } while (defined $token && ++$pages < 20);

    is_deeply(\@got, \@whole, "page by page: $query");
}

my $token = search('pageSize=2&certSource=SCEP')->{json}{continuationToken};

ok($token, 'a token');
unlike($token, qr/[^\w-]/, 'needs no escapes');

my $late = $t->cert($ca, 'late', kind => 'Device', guid => $guid);

run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer', 'demo',
       '--source', 'Static', $late);
$serial{late} = uc serial_of($late);
%name = reverse %serial;

found("ContinuationToken=$token", 'Anna laptop', 'a newer one does not move it');
found("ContinuationToken=$token&pageSize=1", 'Anna', 'another size');
found("ContinuationToken=$token&certsource=SCEP", 'Anna laptop', 'the same again');
found('certSource=SCEP&pageSize=2', 'late tablet', 'a new search sees it');

for (["continuationToken=$token&searchText=x", 'searchText'],
     ['continuationToken=rubbish', 'continuationToken'],
     ["continuationToken=$token&continuationToken=$token", 'continuationToken'],
     ['pageSize=501', 'pageSize'], ['pageSize=0', 'pageSize'],
     ['certType=Toaster', 'certType'], ['colour=red', 'colour'],
     ['searchText=a&SearchText=b', 'searchText'], ['searchText=%zz', '%'],
     ['searchText=%00', 'NUL'], ['sort=colour', 'sort'],
     ['issuedAfter=soon', 'issuedAfter'], ['thumbprint=12', 'thumbprint'],
     ['object=12', 'object'], ['format=xml', 'format'],
     ['format=csv&pageSize=5', 'pageSize'], ['format=ndjson&sort=serial', 'sort'],
     ['fields=colour', 'fields'], ['effective=maybe', 'effective'])
{
    my ($query, $says) = @$_;
    my $r = search($query);

    is($r->{status}, 400, "refused: $query");
    like($r->{json}{errorMessage}, qr/\Q$says\E/, "saying: $says");
    is($r->{json}{errorCode}, 400, 'with a code');
}

is(search('issuer=none')->{status}, 404, 'an issuer that is not there');


# revocations

$n->revoke($manage, $serial{server}, 4, comment => 'x', revoker => 'Eve');
$n->revoke($manage, $serial{tablet}, 6);

$r = found('certValidity=Revoked', 'tablet server', 'revoked by hand');
is($r->{json}{items}[1]{revocationReason}, 'Superseded', 'the reason');
is($r->{json}{items}[1]{revokedBy}, 'Eve through API user Alice.Admin', 'who');
like($r->{json}{items}[1]{revocationDate}, qr/^20.*Z$/, 'when');
found('certValidity=Active', 'late dc =cmd Anna laptop other',
      'the others are not');

$n->api('DELETE', "revoke/$serial{tablet}", token => $manage);
$r = found('certValidity=Revoked', 'server', 'a released hold');
$r = found('certType=Device&Sources=5', 'tablet', 'is there');
is($r->{json}{items}[0]{revocationReason}, undef, 'and as it was');


# the effective status: what directories say counts

sub told {
    my ($id, $body) = @_;

    my $r = $n->http('PUT', "/api/directory/hr/objects/$id",
                     headers => { Authorization => "Bearer $manage" },
                     body => $body);

    is($r->{status}, 200, "$id: told") or diag($r->{body});
}

told("device/$guid", '{"enabled":false}');
told("user/$guid", '{"enabled":true}');
told('jamf-device/17', '{"deleted":true}');

found('effective=hold', 'late laptop', 'on hold, as a directory knows');
found('effective=hold&certValidity=Active', 'late laptop',
      'which is not by hand');
found('effective=revoked', 'tablet server', 'revoked by anybody');
found('effective=good', 'old dc =cmd Anna other', 'good');
found('effective=hold&sort=serial&pageSize=1', (sort { $serial{$a} cmp
      $serial{$b} } qw(late laptop))[0], 'in an order');
$r = found("object=$guid&effective=good", 'Anna', 'by key');
is($r->{json}{items}[0]{effective}, 'good', 'and it is said');

$r = search('fields=serialNumber,effective,revocationReason');
is_deeply({ map { $name{ $_->{serialNumber} } => $_->{effective} }
            @{ $r->{json}{items} } },
          { late => 'hold', laptop => 'hold', tablet => 'revoked',
            server => 'revoked', dc => 'good', '=cmd' => 'good', old => 'good',
            Anna => 'good', other => 'good' }, 'as a field');

$r = search('effective=hold&pageSize=1');
$r = search("continuationToken=$r->{json}{continuationToken}");
is($name{ $r->{json}{items}[0]{serialNumber} }, 'laptop', 'page by page');
is($r->{json}{continuationToken}, undef, 'the last one');


# streams

$r = search('format=csv');
like($r->{headers}{'content-type'}, qr{^text/csv; charset=utf-8}, 'CSV');
like($r->{headers}{'content-disposition'}, qr/certificates\.csv/, 'a file');

my @lines = split /\r\n/, $r->{body}, -1;

is($lines[0], join(',', @fields), 'its first line');
is(pop @lines, '', 'each line ends');
is(@lines, 10, 'all of them');
my ($line) = grep { /^\Q$serial{server}\E,/ } @lines;
like($line, qr/,"Bob, ""the builder""",API,Static,demo,/, 'quoted');
like($line, qr/,Superseded,"Eve through API user Alice\.Admin",/, 'revoked');
is((search('format=csv&fields=subject&searchText=%3Dcmd'))->{body},
   "subject\r\nCN==cmd\r\n", 'some fields');

# in other protocols

my $whole = $r->{body};
my $old_http = $n->http('GET', '/api/manage/search?format=csv', version => '1.0',
                        headers => { Authorization => "Bearer $manage" });

is($old_http->{headers}{'transfer-encoding'}, undef, 'HTTP/1.0: not chunked');
ok($old_http->{body} eq $whole, 'and whole');

for my $option (['--http2-prior-knowledge'],
                ['--http2-prior-knowledge', '--compressed'])
{
    my ($rc, $text) = run('curl', '-sS', @$option, '-H',
                          "Authorization: Bearer $manage",
                          "http://127.0.0.1:$h2/api/manage/search?format=csv");

    is($rc, 0, "curl @$option");
    ok($text eq $whole, 'has all of it');
}

# what could be a formula is none
my $evil = $t->cert($ca, 'evil');

run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer', 'demo',
       '--requester', '=1+1 "x"', $evil);
like(search('format=csv&searchText=CN%3Devil')->{body},
     qr/,"'=1\+1 ""x""",/, 'a formula is made a text');

for my $o ([query => 'format=ndjson'], [accept => 'application/x-ndjson']) {
    my $r = $o->[0] eq 'query' ? search('format=ndjson&certType=Device')
            : search('certType=Device',
                     headers => { Accept => 'text/html, application/x-ndjson' });

    is($r->{headers}{'content-type'}, 'application/x-ndjson', 'NDJSON');

    my @rows = map { decode_json($_) } split /\n/, $r->{body};

    is(join(' ', map { $name{ $_->{serialNumber} } } @rows),
       'late tablet laptop', 'a line each');
}

is(search('', headers => { Accept => 'text/csv' })->{headers}{'content-type'},
   'text/csv; charset=utf-8', 'CSV by Accept');
like(search('', headers => { Accept => '*/*' })->{headers}{'content-type'},
     qr/json/, 'JSON otherwise');
is(search('format=csv&searchText=none-of-them')->{body},
   join(',', @fields) . "\r\n", 'CSV of nothing');
is(search('format=ndjson&searchText=none-of-them')->{body}, '',
   'NDJSON of nothing');

for my $query ('', 'format=csv') {
    my $r = $n->http('HEAD', "/api/manage/search?$query",
                     headers => { Authorization => "Bearer $manage" });

    is($r->{status}, 200, 'HEAD');
    is($r->{body}, '', 'has no body');
}


# one who is only for some issuers

my ($rc, $scoped) = $t->admin('token', '--file', "$t->{dir}/tokens", '--issuer',
                              'second', 'second-only', 'read');
chomp $scoped;

ok($n->reload, 'reloaded');
ok($n->ready, 'ready');

$r = search('', token => $scoped);
is(join(' ', map { $name{ $_->{serialNumber} } } @{ $r->{json}{items} }),
   'other', 'sees only those');
is(search('issuer=demo', token => $scoped)->{status}, 404, 'and no others');
is(search("continuationToken=$token", token => $scoped)->{status}, 400,
   'not by a token either');
is(@{ search("searchText=$serial{dc}", token => $scoped)->{json}{items} }, 0,
   'nor by key');
is(search('format=csv', token => $scoped)->{body} =~ tr/\n//, 2,
   'nor in a stream');


# a book with a page torn out

$t->redis_cli('RENAME', 'pki:{demo}:page:1', 'pki:{demo}:torn');

$r = search('');
is($r->{status}, 503, 'a page that is not there');
ok($r->{headers}{'retry-after'}, 'come again');
is($r->{json}{errorCode}, 503, 'in the usual form');
is(search('format=csv')->{status}, 503, 'and no stream begins');
is(search('issuer=second&format=csv')->{status}, 200, 'another book is whole');

$t->redis_cli('RENAME', 'pki:{demo}:torn', 'pki:{demo}:page:1');
is(search('')->{status}, 200, 'put back');

$t->redis_signal('STOP');

my $start = time;

is(search('')->{status}, 503, 'Redis stands still');
cmp_ok(time - $start, '<', 9, 'which is noticed in time');
$t->redis_signal('CONT');
ok(wait_until(10, sub { search('')->{status} == 200 }), 'and goes on');

$t->redis_stop;
is(search('')->{status}, 503, 'Redis is away');
is(search("searchText=$serial{dc}")->{status}, 503, 'by key too');
is(search('format=csv')->{status}, 503, 'a stream too');

$t->done;
