# OCSP by GET: the request stands in the path, in any of the spellings that
# clients and proxies make of base64; caching is as RFC 5019 wants it.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');

# a request with all the characters that a path makes trouble of

my ($serial, $der, $b64);

for (1 .. 10000) {
    $serial = '40' . join '', map { sprintf '%02X', rand 256 } 1 .. 18;
    substr $serial, 8, 12, 'FFFFFFFFFFFF';
    $der = ocsp_request([ certid($ca, $serial) ]);
    $b64 = path_of($der);

    last if $b64 =~ m{//} && $b64 =~ /\+/ && $b64 =~ /=$/;
}

my $good = $t->cert($ca, 'good', serial => $serial);

$t->redis;
$t->record('demo', $good);

my $n = $t->nginx(locations => <<'END');
        location /ocsp { pki_ocsp; }
        location /slash/ { pki_ocsp; }
        location / { pki_ocsp; }
        location = /probe { pki_status probe; }
END

ok($n->ready, 'ready');


sub status_of {
    my ($path, %o) = @_;

    my $r = $n->http('GET', $path, %o);
    return "HTTP $r->{status}" if $r->{status} != 200;

    my $a = eval { ocsp_read($r->{body}) } or return 'not an OCSP response';

    return $a->{cert} || $a->{status};
}

sub escaped {
    my ($set, $format) = @_;
    return $b64 =~ s/($set)/sprintf $format, ord $1/ger;
}

my $url = $b64 =~ tr{+/}{-_}r;
my $lines = $b64 =~ s/(.{64})/$1%0D%0A/gr;

my @spellings = (
    ['raw', $b64],
    ['escaped', escaped('[+/=]', '%%%02X')],
    ['escaped in lower case', escaped('[+/=]', '%%%02x')],
    ['slashes escaped', escaped('/', '%%%02X')],
    ['plus escaped', escaped('\+', '%%%02X')],
    ['every octet escaped', escaped('.', '%%%02X')],
    ['space for plus', $b64 =~ s/\+/%20/gr],
    ['no padding', $b64 =~ s/=+$//r],
    ['base64url', $url],
    ['base64url without padding', $url =~ s/=+$//r],
    ['line ends within', $lines],
    ['a line end behind', "$b64%0A"],
    ['CR and LF behind', "$b64%0d%0a"],
    ['a slash behind', "$b64/"],
    ['a query', "$b64?x=1&y=/2"],
    ['an empty query', "$b64?"],
);

for my $prefix ('/ocsp/', '/ocsp//', '/ocsp', '/slash/', '/slash//',
                '//slash///', '/', '//', '/%6fcsp/', '//ocsp/')
{
    for (@spellings) {
        my ($name, $path) = @$_;

        is(status_of("$prefix$path"), 'good', "$prefix: $name");
    }
}

is(status_of("http://localhost/ocsp/$b64"), 'good', 'absolute form');
is(status_of("/ocsp/$b64", version => '1.0', headers => { Host => undef }),
   'good', 'HTTP/1.0 without Host');


# what is not base64 of a request

my $upper = escaped('/', '%%%02X');

for (['a lone %', '%'], ['%2 at the end', "$b64%2"], ['%ZZ', "%ZZ$b64"],
     ['%00', "$b64%00"], ['escaped twice', $upper =~ s/%/%25/gr],
     ['nothing', ''], ['only slashes', '///'], ['a word', 'favicon.ico'],
     ['a character too many', "*$b64"], ['padding within', "AA==$b64"],
     ['cut', substr $b64, 0, 40], ['double', "$b64$b64"])
{
    my ($name, $path) = @$_;

    like(status_of("/ocsp/$path"), qr/^(malformedRequest|HTTP 400)$/, $name);
}

my @certids = map { certid($ca, $serial, hash => 'sha512') } 1 .. 12;
my $long = $n->get(ocsp_request(\@certids));

is($long->{status}, 'successful', 'a path of more than 255 characters');
is(scalar @{ $long->{responses} }, 12, 'with all answers');

like(status_of('/ocsp/' . 'A' x 70000), qr/HTTP 414/, 'a path that is too long');


# methods

for my $method (qw(PUT DELETE OPTIONS PATCH)) {
    my $r = $n->http($method, "/ocsp/$b64");

    is($r->{status}, 405, "$method is refused");
    is($r->{headers}{allow}, 'GET, HEAD, POST', "$method: Allow");
}


# headers

my $before = time;
my $r = $n->http('GET', "/ocsp/$b64");
my $a = ocsp_read($r->{body});
my $h = $r->{headers};

my $date = qr/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun),\ \d\d\ [A-Z][a-z]{2}\ \d{4}
              \ \d\d:\d\d:\d\d\ GMT$/x;

is($h->{'content-type'}, 'application/ocsp-response', 'Content-Type');
is($h->{'content-length'}, length $r->{body}, 'Content-Length');
like($h->{$_}, $date, ucfirst) for qw(date expires last-modified);
is($r->{count}{$_}, 1, "one $_")
    for qw(date expires last-modified etag cache-control content-length);
like($h->{etag}, qr/^"[0-9a-f]+"$/, 'ETag');
is($h->{'last-modified'}, http_date($a->{this}), 'Last-Modified is thisUpdate');
is($h->{expires}, http_date($a->{next}), 'Expires is nextUpdate');

my ($age) = $h->{'cache-control'} =~
    /^max-age=(\d+), public, no-transform, must-revalidate$/;

ok(defined $age, 'Cache-Control');
ok(abs($a->{next} - $before - $age) <= 1, 'max-age ends at nextUpdate');
ok($age <= 600 && $age > 590, 'max-age in seconds');

sleep 2.1;

my $later = $n->http('GET', "/ocsp/$b64");
my ($less) = $later->{headers}{'cache-control'} =~ /^max-age=(\d+)/;

is($later->{body}, $r->{body}, 'the answer of before');
ok($less == $age - 2 || $less == $age - 3, 'max-age has counted down');
is($later->{headers}{etag}, $h->{etag}, 'the ETag of before');

my $head = $n->http('HEAD', "/ocsp/$b64");

is($head->{status}, 200, 'HEAD');
is($head->{headers}{$_}, $h->{$_}, "HEAD: $_")
    for qw(content-length content-type etag expires last-modified);
is($head->{rest} // '', '', 'HEAD has no body');

for (['If-None-Match', $h->{etag}], ['If-None-Match', "W/$h->{etag}"],
     ['If-None-Match', "\"x\", $h->{etag}, \"y\""], ['If-None-Match', '*'],
     ['If-Modified-Since', $h->{'last-modified'}])
{
    my ($name, $value) = @$_;
    my $c = $n->http('GET', "/ocsp/$b64", headers => { $name => $value });

    is($c->{status}, 304, "$name: $value");
    is($c->{body}, '', '304 has no body');
    is($c->{headers}{$_}, $h->{$_}, "304 has $_") for qw(etag expires);
    like($c->{headers}{'cache-control'}, qr/^max-age=\d+/,
         '304 has Cache-Control');
}

is($n->http('GET', "/ocsp/$b64", headers => { 'If-None-Match' => '"x"' })
     ->{status}, 200, 'another ETag');


# what no cache may keep

my $nonce = $n->get(ocsp_request([ certid($ca, $serial) ], nonce => 'n' x 16));

is($nonce->{cert}, 'good', 'a nonce by GET');
is($nonce->{nonce}, 'n' x 16, 'comes back');
unlike($nonce->{http}{headers}{'cache-control'} || '', qr/max-age=[1-9]/,
       'and is not to be kept');

my $unknown = $n->get(ocsp_request([ certid($ca, '0F' x 20) ]));

is($unknown->{cert}, 'unknown', 'a certificate never issued');
unlike($unknown->{http}{headers}{'cache-control'}, qr/max-age=[1-9]/,
       'is not to be kept as such');

my $malformed = $n->http('GET', '/ocsp/AAAA');

is(ocsp_read($malformed->{body})->{status}, 'malformedRequest', 'malformed');
is($malformed->{status}, 200, 'comes with HTTP 200');
is($malformed->{headers}{'content-type'}, 'application/ocsp-response',
   'as an OCSP response');
unlike($malformed->{headers}{'cache-control'} || '', qr/max-age=[1-9]/,
       'and is not to be kept');
ok(!$malformed->{headers}{etag}, 'nor has an ETag');


# an error leaves the connection as it was

my $socket = http_connect($n->{port});

for ('good', 'malformedRequest', 'good') {
    my $path = $_ eq 'good' ? $b64 : 'AAAA';
    my $k = $n->http('GET', "/ocsp/$path", socket => $socket);
    my $o = ocsp_read($k->{body});

    is($o->{cert} || $o->{status}, $_, "$_ on a connection that is kept");
}

$t->done;


sub http_date {
    my @t = gmtime shift;
    my @days = qw(Sun Mon Tue Wed Thu Fri Sat);
    my @months = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);

    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT', $days[$t[6]], $t[3],
                   $months[$t[4]], $t[5] + 1900, @t[2, 1, 0];
}
