# A user of Redis who may do what README lists, and no more: all that nginx
# does is among it.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::CSR;
use PKI::Directory;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $dir = $t->{dir};
my $token = $t->token('admin', 'admin');
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two three four);

my $conf = {
    store => "user nginx; secret_file $dir/redis.secret;",
    issuer => 'unknown serial; crl all valid=1h delay=100ms delta=30m;',
    http => 'pki_profile any { issuer demo; bind directory; }'
            . 'pki_profile static { issuer demo; }',
    server => <<"END",
        location /crl/ { pki_crl demo; }
        location /free/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll static;
        }
        location /bound/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll any;
        }
END
};

spew("$dir/redis.secret", "secret\n");
$t->redis;

# the lists as an administrator finds them

my ($text) = slurp("$PKI::Test::top/README.md")
             =~ /^#### user\n(.*?)^#### /ms or die;
my @lists = $text =~ /^    (ACL SETUSER.*\n(?:        .*\n)*)/mg;

is(scalar @lists, 2, 'two lists in README');

sub allow {
    my ($list) = @_;

    is($t->redis_cli(split ' ', $list), 'OK', 'a list that Redis takes');
}

# what was not allowed, by command

sub denied {
    my ($what) = @_;

    my $log = $t->redis_cli('ACL', 'LOG');
    my %denied = map { $_ => 1 } $log =~ /^object\n(\S+)$/mg;

    is(join(' ', sort keys %denied), '', "$what: nothing was forbidden");
}

sub call {
    my ($n, $method, $uri, $status, %o) = @_;

    my $r = $n->http($method, $uri, %o, headers => {
        Authorization => "Bearer $token" });

    is($r->{status}, $status, "$method $uri: $status") or diag($r->{body});
    return $r;
}

sub body { return (body => JSON::PP::encode_json($_[0])) }


# without directories

allow($lists[0]);

my $n = $t->nginx(%$conf);

ok($n->ready, 'ready');

my $api = '/free/manage';

$t->record('demo', @cert{qw(one two)});

my %serial = map { $_ => serial_of($cert{$_}) } keys %cert;

is($n->ask($ca, $cert{one})->{cert}, 'good', 'OCSP');
call($n, 'POST', '/free/csr', 200, body =>
     PKI::CSR->new($t, subject => [[CN => 'enrolled']])->der);
call($n, 'POST', "$api/certificates", 201, body => slurp($cert{three}));
call($n, 'GET', "$api/search?$_", 200)
    for 'searchText=CN', "searchText=$serial{one}", 'effective=good',
        'sort=subject', 'object=device/d6b58414-60ed-426b-b382-276a3e8d626d',
        'format=csv', 'thumbprint=' . '0' x 40;

for (1 .. 2) {
    call($n, 'PATCH', "$api/revoke/$serial{two}", 200,
         body({ revocationReason => 6 }));
    call($n, 'DELETE', "$api/revoke/$serial{two}", 200);
}

call($n, 'POST', "$api/revoke", 200,
     body({ revocationReason => 1, serials => [@serial{qw(two four)}] }));
call($n, 'GET', "$api/certificates/$serial{two}", 200);
call($n, 'GET', "$api/certificates/$serial{two}/history?from=1", 200);
ok(wait_until(10, sub {
       $n->http('GET', '/crl/')->{status} == 200
       && $n->http('GET', '/crl/delta')->{status} == 200
   }), 'CRLs');
ok(wait_until(10, sub {
       run_ok('openssl', 'crl', '-inform', 'DER', '-noout', '-text', '-in',
              spew("$dir/delta", $n->http('GET', '/crl/delta')->{body}))
           =~ /Serial Number: $serial{two}/
   }), 'that go on');
ok($n->status->{stores}[0]{appendOnly}, 'the status page');
denied('without directories');
$n->stop;


# with directories

allow($lists[1]);

my $d = PKI::Directory->new($t, entra => {}, jamf => {},
                            intune => { text => 'endpoint_list on;' },
                            push => { name => 'hr' }, nginx => $conf);

$n = $d->{nginx};

my $device = $d->{sim}{graph}->add('device');
my $user = $d->{sim}{graph}->add('user', userPrincipalName => 'ann@pki.test');
my $cert = $d->cert('laptop', Device => $device->{deviceId});
my $object = '/free/directory/hr/objects/device/' . $device->{deviceId};

ok($n->ready, 'ready');
call($n, 'PUT', $object, 200, body({ enabled => JSON::PP::true() }));
$d->becomes($cert, 'good', 'a device');
ok($d->round('intune', 'endpoint-list'), 'what Intune has issued');
call($n, 'GET', '/free/directory/intune/certificates', 200);
call($n, 'GET', '/free/directory/entra/objects/device/'
     . $device->{deviceId}, 200);
call($n, 'POST', "/free/directories/entra/$_", 202) for qw(sync release);
ok(wait_until(20, sub {
       $n->http('POST', '/bound/csr', headers => {
           Authorization => "Bearer $token" }, body =>
           PKI::CSR->new($t, subject => [[CN => $device->{deviceId}]])->der
       )->{status} == 200
   }), 'a certificate for it');

$d->{sim}{graph}->change('device', $device->{id},
                         accountEnabled => PKI::Sim::false);
$d->becomes($cert, 'hold', 'disabled');
$d->{sim}{graph}->delete('user', $user->{id});
$d->{sim}{graph}->delete('device', $device->{id});
call($n, 'DELETE', $object, 200);
$d->becomes($cert, 'revoked', 'deleted', 20);
denied('with directories');

$t->done;
