# Many revocations in one call: by list, by object, by user, by time; what a
# dry run says, what becomes of each, and what a dying Redis leaves.

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $open = $t->ca('open');
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $anna = 'a0000000-0000-4000-8000-000000000001';
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two three four five six);

$cert{elsewhere} = $t->cert($second, 'elsewhere');
$cert{"device$_"} = $t->cert($ca, "device$_", kind => 'Device',
                             guid => $guid) for 1 .. 3;
$cert{device4} = $t->cert($second, 'device4', kind => 'Device',
                          guid => $guid);
$cert{stranger} = $t->cert($ca, 'stranger', kind => 'Device', guid => $anna);
$cert{user} = $t->cert($ca, 'user', kind => 'User', guid => $anna);
$cert{named} = $t->cert($second, 'named', ext => 'subjectAltName=otherName:'
                        . '1.3.6.1.4.1.311.20.2.3;UTF8:Anna@example.com');
$cert{nobody} = $t->cert($ca, 'nobody', ext => 'subjectAltName=otherName:'
                         . '1.3.6.1.4.1.311.20.2.3;UTF8:anna@example.co');

my $manage = $t->token('Alice.Admin', 'manage');
my $read = $t->token('reader', 'read');

$t->redis;
$t->record('demo', @cert{qw(one two three four five six device1 device2
                            device3 stranger user nobody)});
$t->record('second', @cert{qw(elsewhere device4 named)});

my $n = $t->nginx(issuers => {
    demo => "certificate $ca; key $t->{dir}/ca.key;",
    second => "certificate $second; key $t->{dir}/second.key;",
    open => "certificate $open; key $t->{dir}/open.key; unknown serial;",
}, directories => { hr => ['push', 'max_age off;'] },
   server => <<"END");
        location /one/ {
            pki_api demo second; pki_api_tokens $t->{dir}/tokens;
        }
        location /open/ {
            pki_api open; pki_api_tokens $t->{dir}/tokens;
        }
END

ok($n->ready, 'ready');

sub bulk {
    my ($body, %o) = @_;

    my $r = $n->http('POST', ($o{at} // '/one/') . 'manage/revoke',
                     body => ref $body ? encode_json($body) : $body,
                     headers => {
        Authorization => 'Bearer ' . ($o{token} // $manage),
        'Content-Type' => 'application/json' });

    return take($r);
}

sub take {
    my ($r) = @_;

    $r->{json} = eval { decode_json($r->{body}) };
    $r->{lines} = [ map { eval { decode_json($_) } // () }
                    split /\n/, $r->{body} ];
    $r->{sum} = pop @{ $r->{lines} };
    $r->{of} = { map { $_->{serialNumber} => $_ } @{ $r->{lines} } };

    return $r;
}

sub serials { return [ map { serial_of($cert{$_}) } @_ ] }

# "name result" of each that is one of ours

sub results {
    my ($r) = @_;

    return join ', ', map {
        my $line = $r->{of}{ serial_of($cert{$_}) };
        $line ? "$_ $line->{result}" : ();
    } sort keys %cert;
}

sub sum {
    my ($sum) = shift->{sum};

    return join ' ', map { "$_=$sum->{$_}" }
                     grep { $sum->{$_} && !ref $sum->{$_} } sort keys %$sum;
}

sub status_of {
    my ($name) = @_;

    my $issuer = $name =~ /^(elsewhere|device4|named)$/ ? $second : $ca;

    return $n->ask($issuer, $cert{$name});
}

sub known {
    return $t->redis_cli('hget', 'pki:{demo}:revoked',
                         serial_of($cert{ +shift }));
}

sub revoked { return $t->redis_cli('hlen', "pki:{$_[0]}:revoked") }


# a list

my $unknown = '507AEAC03CCEF83F106914418D9222E466A629C1';
my @list = (@{ serials(qw(one two elsewhere)) }, $unknown,
            serial_of($cert{one}) =~ s/(..)(?=.)/$1:/gr);

my $r = bulk({ serials => \@list, revocationReason => 1, dryRun => \1 });

is($r->{status}, 200, 'a dry run') or diag($r->{body});
like($r->{headers}{'content-type'}, qr{^application/x-ndjson}, 'in lines');
is(results($r), 'elsewhere wouldRevoke, one wouldRevoke, two wouldRevoke',
   'says what it would do');
is(sum($r), 'notFound=1 wouldRevoke=4', 'with a sum');
is($r->{sum}{dryRun}, JSON::PP::true, 'that says what it is');
is(status_of($_)->{cert}, 'good', "and $_ is good") for qw(one two elsewhere);
is(revoked('demo') + revoked('second'), 0, 'nothing was changed');

$r = bulk({ serials => \@list, revocationReason => 1, revoker => 'bert',
            comment => 'a lost box', invalidityDate => '2030-01-01T00:00:00Z'
          });

is($r->{status}, 200, 'in earnest') or diag($r->{body});
is(sum($r), 'notFound=1 revoked=3 same=1', 'each is acknowledged or named');
is($r->{sum}{complete}, JSON::PP::true, 'and that was all');
is($r->{of}{$unknown}{result}, 'notFound', 'the unknown one');
is($r->{of}{$unknown}{issuer}, undef, 'is nobody\'s');
is($r->{of}{ serial_of($cert{elsewhere}) }{issuer}, 'second',
   'each has its issuer');
is($r->{of}{ serial_of($cert{two}) }{revocationReason}, 'KeyCompromise',
   'and its reason');
is(status_of($_)->{reason}, 1, "$_ is revoked, at once")
    for qw(one two elsewhere);
is(status_of('three')->{cert}, 'good', 'no other is');

my $audit = $t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+');

is(() = ($audit =~ /^revoke\nserial\n/mg), 2, 'the audit stream has each once');
like($audit, qr/bert through API user Alice\.Admin/, 'by whom');
like($audit, qr/a lost box/, 'and why');
like($t->redis_cli('hget', 'pki:{demo}:revoked', serial_of($cert{two})),
     qr/^1 1 \d+ 1893456000 /, 'a date of invalidity, which may be to come');
like($n->log, qr/@{[ serial_of($cert{two}) ]}.*KeyCompromise/, 'the log');


# holds

$r = bulk({ serials => serials(qw(one three four)), revocationReason => 6 });
is(results($r), 'four revoked, one conflict, three revoked', 'on hold');
like($r->{of}{ serial_of($cert{one}) }{message}, qr/already/, 'but for one');
is($r->{of}{ serial_of($cert{one}) }{revocationReason}, 'KeyCompromise',
   'which is told as it is');
is(status_of('three')->{reason}, 6, 'certificateHold');

for my $dry (\1, \0) {
    $r = bulk({ serials => serials(qw(one three five)), revocationReason => 8,
                dryRun => $dry });
    is(results($r), $$dry ? 'five conflict, one conflict, three wouldRelease'
                          : 'five conflict, one conflict, three released',
       'released');
}

is(status_of('three')->{cert}, 'good', 'good again');

for my $dry (\1, \0) {
    $r = bulk({ serials => serials(qw(four)), revocationReason => 4,
                dryRun => $dry });
    is(results($r), $$dry ? 'four wouldRevoke' : 'four revoked',
       'a hold becomes final');
}


# what is wrong

my $reason = '"revocationReason":1';

for (['nothing', ''], ['no selector', "{$reason}"],
     ['two selectors', "{$reason,\"serials\":[],\"user\":\"a\"}"],
     ['no reason', '{"serials":[]}'],
     ['reason 7', '{"serials":[],"revocationReason":7}'],
     ['no serial number', "{$reason,\"serials\":[\"01\",\"xyz\"]}"],
     ['numbers', "{$reason,\"serials\":[1]}"],
     ['a long serial number', "{$reason,\"serials\":[\"" . '0' x 90 . '"]}'],
     ['an object of no class', "{$reason,\"object\":\"planet/1\"}"],
     ['an empty user', "{$reason,\"user\":\"\"}"],
     ['a date', "{$reason,\"issuedAfter\":\"yesterday\"}"],
     ['a date of invalidity',
      "{$reason,\"serials\":[],\"invalidityDate\":\"soon\"}"],
     ['a release with one', '{"revocationReason":8,"serials":[],'
      . '"invalidityDate":"2026-01-01T00:00:00Z"}'],
     ['an unknown member', "{$reason,\"serials\":[],\"force\":true}"],
     ['too many', "{$reason,\"serials\":[" . join(',', ('"01"') x 10_001)
      . ']}'])
{
    my ($what, $body) = @$_;

    $r = bulk($body);
    is($r->{status}, 400, $what) or diag($r->{body});
    ok($r->{json}{errorMessage} && $r->{json}{requestId}, 'says why');
}

like(bulk("{$reason,\"serials\":[\"01\",\"xyz\"]}")->{json}{errorMessage},
     qr/xyz/, 'a wrong one is named');
is(bulk(' ' x 1_100_000)->{status}, 413, 'a body too large');
is(bulk({ serials => [], revocationReason => 1, issuer => 'nobody' })
     ->{status}, 404, 'no such issuer');
is(bulk({ serials => [], revocationReason => 1 }, token => $read)->{status},
   403, 'who reads does not revoke');
is(bulk({ serials => serials('five'), revocationReason => 1,
          issuer => 'second' })->{lines}[0]{result}, 'notFound',
   'only of the issuer that is named');
is(sum(bulk({ serials => [], revocationReason => 1 })), '', 'none at all');
is(status_of('five')->{cert}, 'good', 'nothing has changed');


# an object

for my $dry (\1, \0) {
    $r = bulk({ object => "device/\U$guid", revocationReason => 5,
                dryRun => $dry });

    my $would = $$dry ? 'wouldRevoke' : 'revoked';

    is(results($r), join(', ', map { "device$_ $would" } 1 .. 4),
       'of a device, by all issuers');
}

is(known('stranger'), '', 'no other device');
is(sum(bulk({ object => $guid, revocationReason => 5 })), 'same=4',
   'a GUID alone');
is(sum(bulk({ object => "user/$guid", revocationReason => 5 })), '',
   'no user has it');


# a user: by the id that a directory knows, and by the name in it

my $p = $n->http('PUT', "/api/directory/hr/objects/user/$anna",
                 headers => { Authorization => "Bearer $manage" },
                 body => '{"enabled":true,"name":"anna@example.com"}');

is($p->{status}, 200, 'the directory knows her') or diag($p->{body});

for my $dry (\1, \0) {
    $r = bulk({ user => 'ANNA@example.com', revocationReason => 3,
                dryRun => $dry });

    my $would = $$dry ? 'wouldRevoke' : 'revoked';

    is(results($r), "named $would, user $would", 'all of a user');
}

is(status_of($_)->{reason}, 3, "$_ is revoked") for qw(named user);
is(known($_), '', "$_ is not") for qw(nobody stranger);
is(sum(bulk({ user => $anna, revocationReason => 3 })), 'same=1', 'by her id');
is(sum(bulk({ user => "user/$anna", revocationReason => 3 })), 'same=1',
   'with its class');
is(sum(bulk({ user => 'carl', revocationReason => 3 })), '', 'nobody');


# a time

sub stamp {
    my @t = gmtime shift;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1,
                   @t[3, 2, 1, 0];
}

my $now = int time;

sleep 0.1 while int time == $now;
$now = int time;

$cert{"late$_"} = $t->cert($ca, "late$_") for 1, 2;
$t->record('demo', @cert{qw(late1 late2)});

for my $dry (\1, \0) {
    $r = bulk({ issuedAfter => stamp($now), revocationReason => 4,
                dryRun => $dry });

    my $would = $$dry ? 'wouldRevoke' : 'revoked';

    is(results($r), "late1 $would, late2 $would", 'all since then');
}

is(status_of('five')->{cert}, 'good', 'none before');
is(sum(bulk({ issuedAfter => stamp($now), issuedBefore => stamp($now),
              revocationReason => 4 })), '', 'none between');
is(results(bulk({ serials => serials(qw(five late1)),
                  issuedBefore => stamp($now), revocationReason => 2,
                  dryRun => \1 })),
   'five wouldRevoke, late1 skipped', 'a list is narrowed by it');
is(sum(bulk({ object => "device/$guid", issuedAfter => stamp($now),
              revocationReason => 5 })), '', 'and an object');


# a line of the book that cannot be read

my $page = 'pki:{demo}:page:1';

$t->allow(qr/a line of page 1 of the book cannot be read/);
is($t->redis_cli('setrange', $page, 2, 'x'), $t->redis_cli('strlen', $page),
   'a damaged line');
$r = bulk({ issuedAfter => stamp($now), revocationReason => 4,
            dryRun => \1 });
is($r->{sum}{complete}, JSON::PP::false, 'was not all: there may be one more');
$t->redis_cli('setrange', $page, 2, 1);


# single calls have the date of invalidity as well

my $body = { revocationReason => 1, invalidityDate => '2031-02-03T04:05:06Z' };

is($n->api('PATCH', 'revoke/' . serial_of($cert{six}) . '?issuer=demo',
           token => $manage, body => $body)->{status}, 200, 'PATCH');
like($t->redis_cli('hget', 'pki:{demo}:revoked', serial_of($cert{six})),
     qr/^1 1 \d+ 1927857906 /, 'its date of invalidity');

for ('soon', '', '1969-12-31T00:00:00Z') {
    is($n->api('PATCH', 'revoke/' . serial_of($cert{five}) . '?issuer=demo',
               token => $manage, body => { %$body, invalidityDate => $_ })
         ->{status}, 400, "not \"$_\"");
}


# ten thousand, some of them when Redis has died

my $prefix = substr $t->serial, 0, 8;
my @many = map { sprintf '%s%032X', $prefix, 0x1000_0000 + $_ } 1 .. 10_000;

sub outcome {
    my ($r) = @_;

    return join ' ', map { "$_=$r->{sum}{$_}" } grep { $r->{sum}{$_} }
                     qw(revoked same failed notFound);
}

my $start = time;

$r = bulk({ serials => \@many, revocationReason => 6, dryRun => \1 },
          at => '/open/');
is($r->{sum}{wouldRevoke}, 10_000, '10,000 that were never recorded');
is(revoked('open'), 0, 'are left alone');

$r = bulk({ serials => [ @many[0 .. 4999] ], revocationReason => 6 },
          at => '/open/');
is(outcome($r), 'revoked=5000', 'half of them revoked');
is(scalar keys %{ $r->{of} }, 5000, 'a line for each');
is(revoked('open'), 5000, 'in the store');
cmp_ok(time - $start, '<', 20, sprintf 'in %.1f s', time - $start);

my $watch = IO::Socket::UNIX->new(Peer => "$t->{dir}/redis.sock")
            or die "no link to Redis: $!\n";
my $socket = http_connect($n->{port});
my $text = encode_json({ serials => \@many, revocationReason => 1 });

http_send($socket, "POST /open/manage/revoke HTTP/1.1\r\nHost: localhost\r\n"
          . "Connection: close\r\nAuthorization: Bearer $manage\r\n"
          . 'Content-Length: ' . length($text) . "\r\n\r\n$text");

# by a link that stands already: a new process would come too late

ok(wait_until(10, sub {
       syswrite $watch, "HGET pki:{open}:revoked $many[99]\r\n";
       sysread $watch, my $said, 1000;
       $said =~ /\n1 1 /;
   }), 'under way');
$t->redis_stop('redis', 'KILL');

$r = take(http_read($socket, 'POST'));

is($r->{status}, 200, 'the reply had begun');
is($r->{sum}{revoked} + $r->{sum}{failed}, 10_000, 'and names all of them');
cmp_ok($r->{sum}{failed}, '>', 0, "$r->{sum}{failed} failed");
is($r->{sum}{complete}, JSON::PP::false, 'so it says');

$t->redis;
ok(wait_until(10, sub { $n->ready }), 'Redis is there again');

my %stored = split /\n/, $t->redis_cli('hgetall', 'pki:{open}:revoked');
my @lost = grep { $r->{of}{$_}{result} eq 'revoked'
                  && ($stored{$_} // '') !~ /^1 1 / } @many;

is(scalar @lost, 0, 'what was acknowledged is there');
ok(wait_until(10, sub {
       ($r = bulk({ serials => \@many, revocationReason => 1 },
                  at => '/open/'))->{status} == 200
   }), 'the rest, again');
is($r->{sum}{revoked} + $r->{sum}{same}, 10_000, 'is done');
is(outcome(bulk({ serials => \@many, revocationReason => 1 },
                at => '/open/')), 'same=10000', 'all are revoked');

$t->redis_stop;

for ({ serials => [ @many[0 .. 99] ] }, { object => "device/$guid" },
     { user => 'anna@example.com' }, { issuedAfter => stamp($now) })
{
    $r = bulk({ %$_, revocationReason => 5 }, at => '/open/');
    is($r->{status}, 503, join(' ', keys %$_) . ' without Redis');
    ok($r->{headers}{'retry-after'}, 'Retry-After');
}

$t->allow(qr/store/);
$t->done;
