# A directory that nobody polls: states are pushed by REST, and count at once.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $read = $t->token('reader', 'read');
my $d = PKI::Directory->new($t, push => { name => 'hr' });
my $n = $d->{nginx};
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $device = $d->cert('device', Device => $guid);
my $user = $d->cert('user', User => $guid);
my $jamf = $d->cert('jamf', JamfUserWithComputer => 4, 17);

sub call {
    my ($method, $uri, $body, %o) = @_;

    my $r = $n->http($method, "/api/directory/$uri",
                     headers => { Authorization => 'Bearer '
                                                   . ($o{token} // $d->{token}),
                                  'Content-Type' => 'application/json' },
                     body => $body);

    $r->{json} = eval { JSON::PP::decode_json($r->{body}) };
    return $r;
}

sub put {
    my ($id, $body, $what) = @_;

    my $r = call('PUT', "hr/objects/$id", $body);

    is($r->{status}, 200, "$what: told") or diag($r->{body});
    return $r;
}

ok($n->ready, 'ready');
is($d->status($device), 'tryLater', 'nobody has told anything');

my $r = put("device/$guid", '{"enabled":true}', 'enabled');

is($r->{json}{changed}, JSON::PP::true, 'it has changed');
is_deeply($r->{json}{state}, [], 'no state');
$d->becomes($device, 'good', 'enabled');
is($d->status($user), 'tryLater', 'a user of the same number is another');

is(put("device/\U$guid", '{"enabled":true}', 'again')->{json}{changed},
   JSON::PP::false, 'has not changed');

put("device/$guid", '{"enabled":false}', 'disabled');
is($d->status($device), 'hold', 'at once, here') for 1 .. 8;
put("device/$guid", '{"enabled":true,"compliant":false}', 'not compliant');
is($d->status($device), 'hold', 'on hold');
put("device/$guid", '{"enabled":true,"compliant":true,"risk":"low"}', 'low');
$d->becomes($device, 'good', 'a low risk');
put("device/$guid", '{"enabled":true,"risk":"high"}', 'high');
$d->becomes($device, 'hold', 'a high risk');

put('jamf-computer/4', '{"enabled":true}', 'one of two');
is($d->status($jamf), 'tryLater', 'the other is not known');
put('jamf-user/17', '{"enabled":true}', 'both');
$d->becomes($jamf, 'good', 'both');

is(call('DELETE', 'hr/objects/jamf-user/17')->{status}, 200, 'DELETE');
is($d->status($jamf), 'revoked', 'one deleted');
put('jamf-user/17', '{"enabled":true}', 'back');
is($d->status($jamf), 'revoked', 'a deletion sticks');

# by name

put("user/$guid", '{"enabled":true,"name":"Ann@Example.org"}', 'a name');
my ($status, $text) = $t->admin('resolve', '--redis', $t->redis_addr,
                                '--directory', 'hr',
                                '--name', 'ann@example.ORG');
is($status, 0, 'resolve');
like($text, qr/^user\/$guid$/m, 'leads to the object');

# inspecting

$r = call('GET', "hr/objects/device/$guid", undef, token => $read);
is($r->{status}, 200, 'GET');
is($r->{json}{id}, "device/$guid", 'the id');
is($r->{json}{directory}, 'hr', 'the directory');
is_deeply($r->{json}{state}, ['risky'], 'the state');
like($r->{json}{since}, qr/^20\d\d-.*Z$/, 'since when');
ok(!exists $r->{json}{owner}, 'nobody is its owner');

$r = call('PUT', "hr/objects/device/$guid",
          '{"enabled":true,"risk":"high","owner":"user/' . uc($guid) . '"}');
is($r->{status}, 200, 'an owner');
$r = call('GET', "hr/objects/device/$guid", undef, token => $read);
is($r->{json}{owner}, "user/$guid", 'is told');
call('PUT', "hr/objects/device/$guid",
     '{"enabled":true,"risk":"high","owner":null}');
$r = call('GET', "hr/objects/device/$guid", undef, token => $read);
ok(!exists $r->{json}{owner}, 'and is gone again');

# what is refused

my @refused = (
    [PUT => "hr/objects/device/$guid", '{}', 400, qr/"enabled" is required/],
    [PUT => "hr/objects/device/$guid", '{"enabled":"yes"}', 400, qr/enabled/],
    [PUT => "hr/objects/device/$guid", '{"enabled":true,"x":1}', 400, qr/x/],
    [PUT => "hr/objects/device/$guid", '{"enabled":true,"risk":"huge"}', 400,
     qr/risk/],
    [PUT => "hr/objects/device/$guid",
     '{"enabled":true,"owner":"user/1"}', 400, qr/owner/],
    [PUT => "hr/objects/device/$guid",
     qq({"enabled":true,"owner":"device/$guid"}), 400, qr/owner/],
    [PUT => "hr/objects/device/$guid", '[', 400, qr/./],
    [PUT => "hr/objects/device/$guid", 'x' x 20000, 413, qr/too large/],
    [PUT => 'hr/objects/device/1234', '{"enabled":true}', 400, qr/GUID/],
    [PUT => 'hr/objects/jamf-user/x', '{"enabled":true}', 400, qr/number/],
    [PUT => 'hr/objects/group/7', '{"enabled":true}', 400, qr/path/],
    [PUT => "none/objects/device/$guid", '{"enabled":true}', 404, qr/no such/],
    [PUT => "hr/device/$guid", '{"enabled":true}', 404, qr/no such/],
    [PUT => 'hr/objects/', '{"enabled":true}', 404, qr/no such/],
    [PATCH => "hr/objects/device/$guid", '{}', 405, qr/not allowed/],
    [GET => 'hr/objects/jamf-user/99', undef, 404, qr/not told/],
);

for (@refused) {
    my ($method, $uri, $body, $code, $regex) = @$_;

    $r = call($method, $uri, $body);
    is($r->{status}, $code, "$method $uri " . substr($body // '', 0, 40));
    like($r->{json}{errorMessage} // '', $regex, 'says why');
}

is(call('PUT', "hr/objects/device/$guid", '{"enabled":true}',
        token => $read)->{status}, 403, 'a reader may not');
is($d->status($device), 'hold', 'and nothing has changed');

$r = $n->http('POST', '/api/directories/hr/sync',
              headers => { Authorization => "Bearer $d->{token}" });
is($r->{status}, 409, 'there is nobody to do a round');

# no acknowledgement, no 2xx

$t->redis_signal('STOP');
is(call('PUT', "hr/objects/device/$guid", '{"enabled":true}')->{status}, 503,
   'Redis hangs: 503');
is(call('GET', "hr/objects/device/$guid")->{status}, 503, 'GET too');
$t->redis_signal('CONT');

# restored

my $r2 = PKI::Directory->new($t, push => { name => 'mdm',
                                           text => 'restore on;' });
my $other = $r2->cert('other', User => $guid);

$n = $r2->{nginx};
ok($n->ready, 'ready');
is(call('PUT', "mdm/objects/user/$guid", '{"enabled":true}')->{status}, 200,
   'told');
$r2->becomes($other, 'good', 'restore on');
is(call('DELETE', "mdm/objects/user/$guid")->{status}, 200, 'DELETE');
$r2->becomes($other, 'hold', 'deleted, but it can be restored');
is(call('PUT', "mdm/objects/user/$guid", '{"enabled":true}')->{status}, 200,
   'told');
$r2->becomes($other, 'good', 'restored');

$t->done;
