# The search over fifty thousand certificates: what is found, how soon, in
# how much memory; clients that read slowly or not at all.

use strict;
use warnings;

use IO::Select;
use JSON::PP;

use lib 't/lib';
use PKI::Test;

my $many = 50_000;
my $part = 5_000;
my $every = 100;            # one of so many is revoked
my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $token = $t->token('alice', 'manage');
my %auth = (headers => { Authorization => "Bearer $token" });

run_ok("$PKI::Test::top/scripts/build", 'bench');
$t->redis;
$t->redis_cli('CONFIG', 'SET', 'appendfsync', 'no');

for (my $first = 1; $first <= $many; $first += $part) {
    run_ok("$PKI::Test::top/.build/bench/fill", $t->{redis}{redis}{socket},
           'demo', $ca, "$t->{dir}/ca.key", $first, $part, $every);
}

my $h2 = free_port();
my $n = $t->nginx(issuer => 'unknown unknown;',
                  http => "server { listen 127.0.0.1:$h2 http2; location /api/"
                          . "{ pki_api; pki_api_tokens $t->{dir}/tokens; } }");
my ($worker) = $n->workers;

ok($n->ready, 'ready');
cmp_ok($t->redis_cli('HGET', 'pki:{demo}:book', 'newest'), '>', 100,
       'a book of many pages');

sub search {
    my ($query) = @_;

    my $start = time;
    my $r = $n->http('GET', "/api/manage/search?$query", %auth);

    $r->{took} = time - $start;
    $r->{json} = eval { decode_json($r->{body}) } if $query !~ /format=/;

    return $r;
}

# the fastest of some, since others work on this machine too

sub soon {
    my ($query, $rows, $limit, $what) = @_;

    my @r = map { search($query) } 1 .. 5;
    my ($r) = sort { $a->{took} <=> $b->{took} } @r;

    is(scalar @{ $r->{json}{items} }, $rows, "$what: $rows rows");
    cmp_ok($r->{took}, '<', $limit, "$what: soon");
    note(sprintf '%s: %.1f ms', $what, 1000 * $r->{took});

    return $r;
}

sub memory { return slurp("/proc/$worker/status") =~ /VmRSS:\s+(\d+)/ && $1 }


# all of them, in each form

my $csv = search('format=csv');
my @lines = split /\r\n/, $csv->{body};
my @names = split /,/, shift @lines;
my %column = map { $names[$_] => $_ } 0 .. $#names;
my @serials = map { (split /,/)[0] } @lines;
my %seen = map { $_ => 1 } @serials;

is(@lines, $many, 'CSV of all');
is(keys %seen, $many, 'each once');
is((grep { /^[0-9A-F]{40}$/ } @serials), $many, 'by their serial numbers');

is(search('format=ndjson&fields=serialNumber')->{body},
   join('', map { qq({"serialNumber":"$_"}\n) } @serials),
   'NDJSON of all, in the same order');

my $want = $many / $every;

is(search('format=csv&certValidity=Revoked')->{body} =~ tr/\n//, $want + 1,
   'the revoked ones');
is(search('format=csv&effective=revoked')->{body} =~ tr/\n//, $want + 1,
   'and as OCSP has them');

my @paged;
my $next;

for (1 .. $many / 500 + 1) {
    my $r = search(defined $next ? "continuationToken=$next" : 'pageSize=500');

    push @paged, map { $_->{serialNumber} } @{ $r->{json}{items} };
    last unless defined($next = $r->{json}{continuationToken});
}

is(@paged, $many, 'all of them page by page');
ok("@paged" eq "@serials", 'in the same order');

my @sorted = (sort { $a cmp $b } @serials)[0 .. 499];

ok("@sorted" eq join(' ', map { $_->{serialNumber} }
                     @{ search('sort=serial&pageSize=500')->{json}{items} }),
   'sorted over all of them');


# soon: bounds are for a machine that has other work, too

my $serial = $serials[$many / 2 + 1];
my ($device) = @{ search('certType=Device')->{json}{items} };

soon('', 50, 0.5, 'the first page');
soon('searchText=example.com', 50, 0.5, 'a common text');
soon('searchText=server-0000005.', 1, 1, 'a rare text');
soon('searchText=there-is-none', 0, 1, 'none');
soon("searchText=$serial", 1, 0.1, 'a serial number');
soon("thumbprint=$device->{thumbprint}", 1, 0.1, 'a thumbprint');
soon("object=$device->{object}", 1, 0.1, 'an object');
soon('sort=subject', 50, 2, 'sorted');


# a client that does not read

sub ask {
    my ($query) = @_;

    my $socket = http_connect($n->{port});

    http_send($socket, "GET /api/manage/search?$query HTTP/1.1\r\n"
                       . "Host: localhost\r\nConnection: close\r\n"
                       . "Authorization: Bearer $token\r\n\r\n");
    return $socket;
}

sub read_some {
    my ($socket, $buf, $size) = @_;

    return unless IO::Select->new($socket)->can_read(10);
    return sysread $socket, $$buf, $size, length $$buf;
}

# out of its chunks; nothing, if the last one is not there

sub body_of {
    my ($text) = @_;

    my ($rest) = $text =~ /\r\n\r\n(.*)/s;
    my $body = '';

    while ($rest =~ s/^([0-9a-f]+)\r\n//) {
        my $size = hex $1 or return $body;

        $body .= substr $rest, 0, $size, '';
        $rest =~ s/^\r\n//;
    }

    return '';
}

my $before = memory();
my @slow = map { ask('format=csv') } 1 .. 8;
my @text = map { '' } @slow;

read_some($slow[$_], \$text[$_], 4096) for 0 .. $#slow;

ok((grep { length } @text) == @slow, 'eight begin to read');
like($text[0], qr{^HTTP/1\.1 200 .*\r\nTransfer-Encoding: chunked}s, 'chunked');
sleep 0.5;
is(search('searchText=none-of-them')->{status}, 200,
   'they do not keep others from searching');
is($n->ask($ca, $serial)->{cert}, 'good', 'nor from OCSP');
cmp_ok(memory() - $before, '<', 8 * 1024, 'they cost less than 1 MB each');

my ($rc, $text) = run('curl', '-sS', '--http2-prior-knowledge', '--limit-rate',
                      '12M', '-H', "Authorization: Bearer $token",
                      "http://127.0.0.1:$h2/api/manage/search?format=csv");

is($rc, 0, 'HTTP/2, slowly');
ok($text eq $csv->{body}, 'all of it');

close $_ for @slow[2 .. 7];
1 while read_some($slow[0], \$text[0], 1 << 20);

ok(body_of($text[0]) eq $csv->{body}, 'one that reads later gets all of it');


# a page that is lost on the way: the reply is not made to look whole

$t->redis_cli('RENAME', 'pki:{demo}:page:1', 'pki:{demo}:torn');
1 while read_some($slow[1], \$text[1], 1 << 20);

cmp_ok(length $text[1], '>', 1 << 20, 'another one was on its way');
unlike(substr($text[1], -64), qr/0\r\n\r\n$/, 'and is cut, without an end');
$t->redis_cli('RENAME', 'pki:{demo}:torn', 'pki:{demo}:page:1');


# more searches at once than a worker does, while Redis stands still

$t->redis_signal('STOP');

my @busy;

for (1 .. 4) {
    push @busy, ask('searchText=none-of-them');
    sleep 0.05;
}

my $refused = search('searchText=none-of-them');

is($refused->{status}, 429, 'the fifth is refused');
ok($refused->{headers}{'retry-after'}, 'and may come again');
is($refused->{json}{errorCode}, 429, 'in the usual form');
close $_ for @busy[0 .. 1];
$t->redis_signal('CONT');

for (@busy[2, 3]) {
    my $r = http_read($_, 'GET');

    is($r->{status}, 200, 'the others wait');
    is($r->{body}, '{"items":[],"continuationToken":null}', 'and are answered');
}

for (1 .. 6) {
    is(search('searchText=none-of-them')->{status}, 200,
       'whoever left has given his place back');
}

is_deeply([ $n->workers ], [ $worker ], 'one worker has done all this');


# a worker that is to leave first ends what it has begun

my $last = ask('format=csv');
my $text_of_last = '';

read_some($last, \$text_of_last, 4096);
ok($n->reload, 'reloaded');
1 while read_some($last, \$text_of_last, 1 << 20);
ok(body_of($text_of_last) eq $csv->{body}, 'a stream survives a reload');

$t->done;
