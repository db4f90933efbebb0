# The simulators of the directories keep the promises that other stories
# build on: pages, delta rounds, tokens, faults, batches, subscriptions, the
# versions and the habits of Jamf Pro and SCIM.

use strict;
use warnings;

use lib 't/lib';
use Crypt::PK::RSA;
use Digest::SHA qw(sha1 sha256);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use POSIX qw(strftime);

use PKI::Sim;
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('sim', key => 'rsa');
my $g = PKI::Sim->new('graph', dir => $t->{dir}, listen => [
    'http://127.0.0.1:0', 'https://127.0.0.1:0'], state => 1,
    tls => [$ca, "$t->{dir}/sim.key"]);
my $token = $g->token;
my ($true, $false) = (PKI::Sim::true, PKI::Sim::false);

# an answer with its JSON

sub ask {
    my ($sim, $target, %o) = @_;

    $target =~ s{^http://[^/]+}{};

    my $body = ref $o{body} ? encode_json($o{body}) : $o{body};
    my $r = http($sim->port, $o{method} || ($o{body} ? 'POST' : 'GET'),
                 $target, %o, body => $body, headers => {
                     Authorization => 'Bearer ' . ($o{token} // $token),
                     $o{body} ? ('Content-Type' => 'application/json') : (),
                     %{ $o{headers} || {} } });

    $r->{json} = eval { decode_json($r->{body}) };

    return $r;
}

# every item that links lead to, and the last answer

sub follow {
    my ($target) = @_;

    my ($r, @items);

    while ($target) {
        $r = ask($g, $target);
        push @items, @{ $r->{json}{value} || die "$target: $r->{body}\n" };
        $target = $r->{json}{'@odata.nextLink'};
    }

    return ($r->{json}{'@odata.deltaLink'}, @items);
}

sub form { return join '&', map {
    my ($k, $v) = splice @_, 0, 2;
    "$k=" . $v =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger
} 1 .. @_ / 2 }


# tokens of Entra

my $o = $g->option;
my $login = "/$o->{tenant}/oauth2/v2.0/token";

sub login {
    my (%f) = @_;

    %f = (grant_type => 'client_credentials', client_id => $o->{client_id},
          scope => 'https://graph.microsoft.com/.default', %f);
    delete @f{ grep { !defined $f{$_} } keys %f };

    my $r = http($g->port, 'POST', delete $f{path} || $login,
                 body => form(%f));

    $r->{json} = decode_json($r->{body});
    return $r;
}

my $r = login(client_secret => $o->{client_secret});

is($r->{status}, 200, 'a token for the secret');
is($r->{json}{expires_in}, 3599, 'it tells its life');
is(ask($g, '/v1.0/devices', token => $r->{json}{access_token})->{status},
   200, 'it is good for Graph');
is(ask($g, '/v1.0/devices', token => 'x')->{json}{error}{code},
   'InvalidAuthenticationToken', 'nothing else is');

for (['client_secret', 'wrong', 401, 'invalid_client'],
     ['client_secret', undef, 401, 'invalid_client'],
     ['client_id', 'nobody', 400, 'unauthorized_client'],
     ['scope', 'a b', 400, 'invalid_request'],
     ['path', '/none/oauth2/v2.0/token', 400, 'invalid_request'])
{
    my ($name, $value, $status, $error) = @$_;

    $r = login(client_secret => $o->{client_secret}, $name => $value);
    is($r->{status}, $status, "$name: " . ($value // 'none'));
    is($r->{json}{error}, $error, $r->{json}{error_description} =~ s/\r.*//sr);
}

$r = login(client_secret => $o->{client_secret},
           scope => 'https://api.manage.microsoft.com//.default');
is($r->{status}, 200, 'a token for Intune');
my $intune = $r->{json}{access_token};
is(ask($g, '/v1.0/devices', token => $intune)->{status}, 401,
   'is none for Graph');

$g->option(token_reply => { expires_in => '60' }, token_without => [
           'token_type']);
$r = login(client_secret => $o->{client_secret});
is($r->{json}{expires_in}, '60', 'a reply of choice');
ok(!exists $r->{json}{token_type}, 'without a member');
$g->option(token_reply => {}, token_without => []);

# by assertion

my $pem = slurp($ca);
my ($base64) = $pem =~ /CERTIFICATE-----(.*?)-----END/s;
my $der = decode_base64($base64);
my $key = Crypt::PK::RSA->new("$t->{dir}/sim.key");

$g->option(client_certificates => [$pem]);

sub assertion {
    my (%c) = @_;

    my $alg = delete $c{alg} || 'PS256';
    my $signer = delete $c{key} || $key;
    my %head = (alg => $alg, typ => 'JWT', $alg eq 'PS256'
        ? ('x5t#S256' => encode_base64url(sha256($der)))
        : (x5t => encode_base64url(sha1($der))));
    my $text = join '.', map { encode_base64url(encode_json($_)) } \%head, {
        aud => "http://localhost$login", iss => $o->{client_id},
        sub => $o->{client_id}, jti => 'j' . rand, nbf => int time,
        exp => time + 300, %c };
    my $signature = $signer->sign_message(
        $text, 'SHA256', $alg eq 'PS256' ? ('pss', 32) : 'v1.5');

    return login(client_assertion => "$text."
                 . encode_base64url($signature), client_assertion_type =>
                 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
}

is(assertion()->{status}, 200, 'PS256');
is(assertion(alg => 'RS256')->{status}, 200, 'RS256, as of old');
is(assertion(jti => 'once')->{status}, 200, 'a jti');
is(assertion(jti => 'once')->{json}{error_codes}[0], 50012, 'is good once');
is(assertion(aud => 'x')->{json}{error_codes}[0], 50012, 'audience');
is(assertion(exp => time - 600)->{json}{error_codes}[0], 700024, 'expired');
is(assertion(key => Crypt::PK::RSA->new($t->key('other', 'rsa')))
   ->{json}{error_codes}[0], 700027, 'a signature of another key');
$g->option(assertion_rs256 => $false);
is(assertion(alg => 'RS256')->{status}, 401, 'RS256 switched off');


# lists

my @d = map { $g->add('device', displayName => "d$_")->{id} } 1 .. 5;
my ($none, @items) = follow('/v1.0/devices?$select=id,accountEnabled&$top=2');

is_deeply([map { $_->{id} } @items], \@d, 'a list in pages');
is_deeply([sort keys %{ $items[0] }], [qw(accountEnabled id)],
          '$select decides');

my $next = ask($g, '/v1.0/devices?$top=2')->{json}{'@odata.nextLink'};

like($next, qr{^http://localhost/v1\.0/devices\?\$top=2&\$skiptoken=},
     'a link is absolute');
ok(length $next > 2048 && $next =~ /%2b/, 'long, and has escapes');
is(ask($g, $next =~ s/%2b/%2B/r)->{status}, 400, 'only as it was given');

for (['$top=1000', 'Request_UnsupportedQuery'],
     ['$top=0', 'Request_UnsupportedQuery'], ['$skip=2', 'Request_BadRequest'])
{
    is(ask($g, "/v1.0/devices?$_->[0]")->{json}{error}{code}, $_->[1],
       $_->[0]);
}

$g->option(skip_token_age => 60);
$next = ask($g, '/v1.0/devices?$top=2')->{json}{'@odata.nextLink'};
$g->clock(advance => 61);
is(ask($g, $next)->{json}{error}{code}, 'Directory_ExpiredPageToken',
   'a link of a list grows old');
$g->option(skip_token_age => 0);

my $one = $g->get('device', $d[0]);

is(ask($g, "/v1.0/devices(deviceId='$one->{deviceId}')")->{json}{id}, $d[0],
   'one by its device id');
is(ask($g, '/v1.0/devices?$filter=' . "deviceId%20eq%20'$one->{deviceId}'")
   ->{json}{value}[0]{id}, $d[0], 'or by a filter');
is(ask($g, "/v1.0/devices/$d[1]?\$select=id")->{json}{id}, $d[1], 'by id');
is(ask($g, '/v1.0/devices/nothing')->{status}, 404, 'or not at all');

my $u = $g->add('user', userPrincipalName => 'ann_x.com#EXT#@y.org')->{id};

$r = ask($g, '/v1.0/users/ann_x.com%23EXT%23@y.org');
is($r->{json}{id}, $u, 'a guest by name');
ok(!exists $r->{json}{accountEnabled}, 'accountEnabled only if selected');


# delta

my $delta = '/v1.0/devices/delta?$select=id,accountEnabled,isCompliant';

$g->option(delta_page => 2, delta_empty_pages => 1);
(my $link, @items) = follow($delta);
is(@items, 5, 'the first round has all');
is(scalar grep({ $_->{target} eq $delta } $g->log('delta')), 1, 'the log');
($link, @items) = follow($link);
is(@items, 0, 'the next has nothing');
$g->change('device', $d[0], accountEnabled => $false);
$g->change('device', $d[1], displayName => 'renamed');
$g->delete('device', $d[2]);
$g->delete('device', $d[3], hard => 1);
my $mark = $link;
($link, @items) = follow($link);
my %item = map { $_->{id} => $_ } @items;
is(@items, 3, 'what was changed');
ok(!$item{ $d[0] }{accountEnabled}, 'is in it');
ok(!exists $item{ $d[1] }, 'what was not selected is not');
is_deeply($item{ $d[2] }, { id => $d[2], '@removed' => {
          reason => 'changed' } }, 'deleted softly');
is($item{ $d[3] }{'@removed'}{reason}, 'deleted', 'deleted for good');
is(ask($g, "/v1.0/devices/$d[2]")->{status}, 404, 'not to be seen');
is(ask($g, '/beta/directory/deletedItems/microsoft.graph.device')
   ->{json}{value}[0]{id}, $d[2], 'but among the deleted');
my (undef, @again) = follow($mark);
is(@again, 3, 'a mark is good again');
(my $latest, @items) = follow("$delta&\$deltaToken=latest");
is(@items, 0, 'from now on');
is(ask($g, "/v1.0/directory/deletedItems/$d[2]/restore", method => 'POST')
   ->{status}, 200, 'restored');
(undef, @items) = follow($latest);
is_deeply(\@items, [{ id => $d[2], accountEnabled => $true,
                      isCompliant => $false }], 'and not compliant');

$g->change('device', $d[0], isCompliant => undef);
$r = ask($g, $link, headers => { Prefer => 'return=minimal' });
is_deeply($r->{json}{value}[1], { id => $d[0], isCompliant => undef },
          'minimal items');
$g->option(omit_removed => 1, delta_empty_pages => 0, delta_page => 200);
($link) = follow($latest);
$g->delete('device', $d[0]);
(undef, @items) = follow($link);
is(@items, 0, 'a removal that is not told');

my %form = (A => [400, 'syncStateNotFound'], B => [410, 'SyncStateNotFound'],
            C => [410, 'SyncStateNotFound'], D => [400, 'Request_BadRequest']);

$g->clock(advance => 7 * 86400 + 60);
$token = $g->token;

for my $form (sort keys %form) {
    $g->option(expiry_form => $form);
    $r = ask($g, $link);
    is($r->{status}, $form{$form}[0], "expired, form $form");
    is($r->{json}{error}{code}, $form{$form}[1], 'code');
    is($r->{headers}{location}, $form eq 'B' ?
       'http://localhost/v1.0/devices/delta?$deltatoken=' : undef, 'where to');
}

is(ask($g, '/v1.0/devices/delta?$deltatoken=')->{status}, 200, 'which works');


# faults

$g->fault({ path => '^/v1.0/users', skip => 1, times => 2, do => {
                status => 429, headers => { 'Retry-After' => '2.128' } } },
          { path => '^/v1.0/users', do => { status => 503, html => 'x' } });
is(join(' ', map { ask($g, '/v1.0/users')->{status} } 1 .. 5),
   '200 429 429 503 200', 'in order');
is_deeply($g->faults, [], 'and gone');

sub faulty {
    my ($do, %o) = @_;

    $g->fault({ path => '/devices', do => $do });
    return ask($g, '/v1.0/devices?$top=2&$select=id,isCompliant', %o);
}

is(faulty({ status => 429 })->{headers}{'x-ms-throttle-information'},
   'ResourceUnitLimitExceeded', 'an error has its body and headers');
$r = faulty({ truncate => -10 });
is(length $r->{body}, $r->{headers}{'content-length'} - 10, 'truncated');
$g->fault({ do => { truncate => 'chunked' } });
is((run('curl', '-s', '-H', "Authorization: Bearer $token",
        $g->url('/v1.0/devices')))[0], 18, 'without its last chunk');
is(faulty({ reset => $true })->{status}, 0, 'reset');
is(faulty({ html => '<p>hotel', status => 200 })->{headers}{'content-type'},
   'text/html; charset=utf-8', 'a captive portal');
is(faulty({ redirect => 'http://other/' })->{headers}{location},
   'http://other/', 'redirect');
is(faulty({ nextLink => 'file:///etc/passwd' })->{json}{'@odata.nextLink'},
   'file:///etc/passwd', 'a link elsewhere');
is(length faulty({ nest => 10000 })->{body}, 20010, 'nested');
cmp_ok(length faulty({ huge => 2 })->{body}, '>', 2_000_000, 'huge');
is(faulty({ delay => 0.2 })->{status}, 200, 'late');
cmp_ok(($g->log('devices'))[-1]{took}, '>=', 0.2, 'as the log tells');
is(faulty({ gzip => 'force' })->{headers}{'content-encoding'}, 'gzip',
   'packed');
is(faulty({ json => [] })->{body}, '[]', 'JSON of choice');
is(faulty({ body64 => encode_base64("\xff\xfe", '') })->{body}, "\xff\xfe",
   'octets of choice');

my $started = time;

faulty({ slow => 1000, body => 'x' x 300 });
cmp_ok(time - $started, '>', 0.2, 'slow');

$g->fault({ do => { hang => $true } });
my $s = http_connect($g->port);
http_send($s, "GET /v1.0/devices HTTP/1.1\r\nHost: x\r\n\r\n");
ok(!IO::Select->new($s)->can_read(0.2), 'hangs');

$r = faulty({ mangle => [
    { set => '/value/0/isCompliant', to => 'true' },
    { delete => '/value/1/isCompliant' }, { duplicate => '/value/0', end => 1 },
    { unknown => '/value/1', count => 3 },
    { order => ['value', '*'], twice => { name => 'id', to => 'twin' } }] });
is($r->{json}{value}[0]{isCompliant}, 'true', 'a wrong type');
ok(!exists $r->{json}{value}[1]{isCompliant}, 'a missing member');
is(@{ $r->{json}{value} }, 3, 'an item twice');
is_deeply($r->{json}{value}[1]{x_unknown3}, [1, [2]], 'unknown members');
like($r->{body}, qr/^\{"value":.*"\@odata\.nextLink"/s, 'another order');
like($r->{body}, qr/"id":"twin"/, 'a member twice');
$r = faulty({ mangle => [{ raw => 'true', to => '"\\ud800"' },
                         { raw => '"id"', to64 => encode_base64("\"\xff\"") },
                         { bom => $true }] });
like($r->{body}, qr/^\xEF\xBB\xBF.*"\xff":.*"\\ud800"/s, 'raw octets');
is(faulty({ mangle => [{ drop => '/value', count => 9 }] })->{json}{value}[0],
   undef, 'no items');

$r = faulty({ then => [['DELETE', "/sim/objects/device/$d[1]?hard=1"]] });
is($r->{json}{value}[0]{id}, $d[1], 'deleted after the page');
is(ask($g, "/v1.0/devices/$d[1]")->{status}, 404, 'at once');

is(faulty({ expire_token => $true })->{status}, 401, 'a token ends');
is(ask($g, '/v1.0/devices')->{status}, 401, 'for ever');
$token = $g->token;
$g->fault({ path => 'oauth2', do => { aadsts => 7000222 } });
is(login()->{json}{error_codes}[0], 7000222, 'an AADSTS error of choice');
$g->fault({ path => '.', times => 0, do => { status => 500 } });
is(ask($g, '/v1.0/users')->{status}, 500, 'for ever') for 1 .. 2;
$g->faults_clear;
is(ask($g, '/v1.0/users')->{status}, 200, 'until cleared');
$g->option(denied => ['/devices']);
is(ask($g, '/v1.0/devices')->{json}{error}{code},
   'Authorization_RequestDenied', 'a permission that is missing');
$g->option(denied => []);


# risky users

$g->add('riskyUser', id => $_) for 'r1', 'r2';
$g->add('riskyUser', id => 'r3', riskState => 'remediated');
my $risky = '/v1.0/identityProtection/riskyUsers';
$r = ask($g, "$risky?\$filter=riskState%20eq%20'atRisk'%20or%20riskState%20"
             . "eq%20'confirmedCompromised'");
is(@{ $r->{json}{value} }, 2, 'a filter is honoured');
$g->option(risky_last_page_bug => $true);
$r = ask($g, "$risky?\$top=3");
is(ask($g, $r->{json}{'@odata.nextLink'})->{json}{error}{message}, '',
   'a last link that fails');
$g->option(risky_rate => 1, risky_last_page_bug => $false);
is(ask($g, $risky)->{status}, 200, 'one a second');
$r = ask($g, $risky);
is($r->{status}, 429, 'not two');
is($r->{headers}{'retry-after'}, undef, 'and no hint');
$g->option(risky_rate => 0, risky_licence => $false);
is(ask($g, $risky)->{status}, 403, 'no licence');


# managed devices

my @m = map { $g->add('managedDevice', serialNumber => "S$_") } 1 .. 5;
my $managed = '/v1.0/deviceManagement/managedDevices';

$r = ask($g, "$managed?\$top=2");
is($r->{json}{'@odata.count'}, 5, 'with a count');
(undef, @items) = follow("$managed?\$top=2&\$select=id,managementState");
is(@items, 5, 'in pages');
is($items[0]{managementState}, 'managed', 'state');
$g->wipe('managedDevice', $m[0]{id});
is(ask($g, "$managed/$m[0]{id}")->{json}{managementState}, 'wipePending',
   'wiped');
$g->option(management_state => $false);
ok(!exists ask($g, "$managed/$m[0]{id}")->{json}{managementState},
   'not in v1.0');
is(ask($g, "/beta/deviceManagement/managedDevices/$m[0]{id}")
   ->{json}{managementState}, 'wipePending', 'but in beta');
$g->option(managed_truncate => 3);
(undef, @items) = follow("$managed?\$top=2");
is(@items, 3, 'a list that ends early');
is(ask($g, '/v1.0/deviceManagement/managedDeviceOverview')
   ->{json}{enrolledDeviceCount}, 5, 'there are more');
$g->option(managed_truncate => 0);

my $filter = join ' or ', map { "azureADDeviceId eq '$_->{azureADDeviceId}'" }
                          @m[0, 1];
my %rows = (honour => 2, first => 1, ignore => 5);

$filter =~ s/ /%20/g;

for (sort keys %rows) {
    $g->option(managed_filter => $_);
    $r = ask($g, "$managed?\$filter=$filter");
    is(@{ $r->{json}{value} }, $rows{$_}, "filter: $_");
}

$g->fault({ do => { intune_error => 500 } });
ok(decode_json(ask($g, $managed)->{json}{error}{message})->{Message},
   'a message with JSON');


# several in one

sub batch {
    return ask($g, '/v1.0/$batch', body => { requests => [@_] });
}

$r = batch(map { { id => "$_", method => 'GET', url => "/users/$u",
                   $_ == 3 ? (dependsOn => ['2']) : () } } 1 .. 3);
is(join(' ', sort map { "$_->{id}:$_->{status}" } @{ $r->{json}{responses} }),
   '1:200 2:200 3:200', 'a batch');
$g->fault({ path => "/users/$u", skip => 1, do => {
                status => 429, headers => { 'Retry-After' => 7 } } });
$r = batch(map { { id => "$_", method => 'GET', url => "/users/$u",
                   $_ == 3 ? (dependsOn => ['2']) : () } } 1 .. 3);
%item = map { $_->{id} => $_ } @{ $r->{json}{responses} };
is($r->{status}, 200, 'a part may fail');
is($item{2}{headers}{'Retry-After'}, 7, 'with its own headers');
is($item{3}{status}, 424, 'and what depends on it');
is(batch(map { { id => '1', method => 'GET', url => '/users' } } 1, 2)
   ->{status}, 400, 'ids are unique');
is(batch(map { { id => "$_", method => 'GET', url => '/users' } } 1 .. 21)
   ->{status}, 400, 'at most 20');


# subscriptions: this process is the address

my $hook = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "no port: $!\n";
my $hook_url = 'http://127.0.0.1:' . $hook->sockport . '/hook';

# takes one request; answers the token it has got, or what is told

sub hook {
    my ($answer, $status) = @_;

    return {} unless IO::Select->new($hook)->can_read(5);

    my $c = $hook->accept;
    my $q = '';

    until ($q =~ /\r\n\r\n(.*)/s
           && length $1 >= ($q =~ /^Content-Length: (\d+)/mi ? $1 : 0))
    {
        IO::Select->new($c)->can_read(5) && sysread $c, $q, 65536, length $q
            or last;
    }

    my ($echo) = $q =~ /validationToken=(\S+)/;

    $answer //= defined $echo ? $echo =~ s/%(..)/chr hex $1/ger : '';
    $status ||= '200 OK';
    http_send($c, "HTTP/1.1 $status\r\nContent-Type: text/plain\r\n"
                  . 'Content-Length: ' . length($answer)
                  . "\r\nConnection: close\r\n\r\n$answer");

    return { request => $q,
             json => scalar eval {
                 decode_json($q =~ s/.*?\r\n\r\n//sr) } };
}

sub later {
    my ($seconds) = @_;
    return strftime('%Y-%m-%dT%H:%M:%S.0000000Z',
                    gmtime $g->clock->{now} + $seconds);
}

sub subscribe {
    my ($answer, %o) = @_;

    my $body = encode_json({
        changeType => 'updated,deleted', resource => 'users',
        notificationUrl => $hook_url, clientState => 'secret',
        expirationDateTime => later(3600), %o });
    my $s = http_connect($g->port);

    http_send($s, "POST /v1.0/subscriptions HTTP/1.1\r\nHost: localhost\r\n"
                  . "Authorization: Bearer $token\r\nConnection: close\r\n"
                  . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
    my $asked = defined $answer ? hook($answer eq 'echo' ? undef : $answer)
                                : undef;
    my $r = http_read($s, 'POST');

    $r->{json} = decode_json($r->{body});
    return ($r, $asked);
}

($r) = subscribe('no');
is($r->{status}, 400, 'no subscription without the token');
($r, my $asked) = subscribe('echo');
is($r->{status}, 201, 'the handshake');
like($asked->{request}, qr{^POST /hook\?validationToken=\S*%20},
     'with an escaped token');
is((subscribe(undef, resource => 'devices'))[0]{status}, 400, 'not devices');
is((subscribe(undef, expirationDateTime => later(30 * 86400)))[0]{status},
   400, 'not for so long');

my $id = $r->{json}{id};

$g->change('user', $u, accountEnabled => $false);
$asked = hook()->{json}{value}[0];
is($asked->{clientState}, 'secret', 'a change is told');
is($asked->{resourceData}{id}, $u, 'by id');
$g->notify(clientState => 'forged', burst => 2, items => 3);
is(@{ hook()->{json}{value} }, 3, 'a burst') for 1 .. 2;
$g->notify(lifecycle => 'reauthorizationRequired');
is(hook()->{json}{value}[0]{lifecycleEvent}, 'reauthorizationRequired',
   'a lifecycle event');
is(ask($g, "/v1.0/subscriptions/$id", method => 'PATCH', body => {
       expirationDateTime => later(7200) })->{status}, 200, 'renewed');
is(ask($g, "/v1.0/subscriptions/$id/reauthorize", method => 'POST')
   ->{status}, 200, 'authorized again');
is(ask($g, "/v1.0/subscriptions/$id", method => 'DELETE')->{status}, 204,
   'ended');
ok(wait_until(5, sub { 4 <= grep { $_->{kind} eq 'notification' }
                                 $g->sent }), 'what was sent is told');


# a third-party CA

$r = ask($g, '/v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-'
             . '000000000000/endpoints');
my ($pki) = map { $_->{uri} } grep { $_->{providerName} =~ /^PkiConn/ }
            @{ $r->{json}{value} };
my %api = ('api-version' => '5019-05-05');
my $download = "$pki/CertificateAuthorityRequests/downloadRevocationRequests";
my $want = { downloadParameters => { maxRequests => 2, issuerName => undef } };

$intune = $g->token(resource => 'intune');
$g->add('revocation', requestContext => "c$_", serialNumber => "0$_")
    for 1 .. 3;
is(ask($g, $download, token => $intune, body => $want)->{status}, 400,
   'api-version is needed');
$r = ask($g, $download, token => $intune, headers => \%api, body => $want);
is(@{ $r->{json}{value} }, 2, 'revocations');
$r = ask($g, $download =~ s/download\w+/uploadRevocationResults/r,
         token => $intune, headers => \%api, body => { Results => [
             { RequestContext => 'c1', Succeeded => $true }] });
is_deeply($r->{json}, { value => $true }, 'are acknowledged');
$r = ask($g, $download, token => $intune, headers => \%api, body => $want);
is($r->{json}{value}[0]{requestContext}, 'c2', 'and handed out until then');


# a large tenant, and what outlives a restart

$g->option(delta_page => 200, omit_removed => 0);
my $bulk = $g->bulk('user', 2500, seed => 7);
(undef, @items) = follow('/v1.0/users?$top=999&$select=id');
is(@items, 2501, 'a bulk');
is(ask($g, "/v1.0/users/$bulk->{ids}[9]")->{json}{userPrincipalName},
   'user9@example.com', 'each of it is there');
$g->change('user', $bulk->{ids}[9], accountEnabled => $false);
($link) = follow('/v1.0/users/delta?$deltaToken=latest&$select=id,mail');
$g->delete('user', $bulk->{ids}[3]);
$g->stop;
$g->start;
(undef, @items) = follow($link);
is(@items, 1, 'links and changes outlive a restart');
is($g->get('user', $bulk->{ids}[9])->{accountEnabled}, $false, 'objects too');

is($g->mass('user', every => 3, set => { accountEnabled => $false })
   ->{count}, 834, 'a mass change');
is($g->get('user', $bulk->{ids}[2])->{accountEnabled}, $false, 'of each third');

# two replicas

$g->change('user', $u, accountEnabled => $true);
$g->clock(advance => 60);
$g->change('user', $u, accountEnabled => $false);
$g->option(replicas => 30);
is(join(' ', map { ask($g, "/v1.0/users/$u?\$select=accountEnabled")
                   ->{json}{accountEnabled} ? 'on' : 'off' } 1 .. 4),
   'off on off on', 'replicas disagree');
$g->clock(advance => 31);
is(join(' ', map { ask($g, "/v1.0/users/$u?\$select=accountEnabled")
                   ->{json}{accountEnabled} ? 'on' : 'off' } 1 .. 2),
   'off off', 'until they do not');

# TLS

my @curl = ('curl', '-s', '--cacert', $ca);
my ($status, $text) = run(@curl, '--resolve',
                          'sim:' . $g->port(1) . ':127.0.0.1',
                          'https://sim:' . $g->port(1) . '/v1.0/users');

like($text, qr/InvalidAuthenticationToken/, 'over TLS');
($status) = run(@curl, $g->url('/v1.0/users', 1));
is($status, 60, 'a certificate of another name');

my $old = PKI::Sim->new('graph', dir => $t->{dir}, tls_version => 'TLSv1',
                        listen => ['http://127.0.0.1:0',
                                   'https://127.0.0.1:0'],
                        tls => [$ca, "$t->{dir}/sim.key"]);

($status) = run('curl', '-sk', $old->url('/', 1));
is($status, 35, 'a TLS that nobody wants');
($status) = run('curl', '-sk', '--tls-max', '1.0', '--ciphers',
                'DEFAULT@SECLEVEL=0', $old->url('/', 1));
is($status, 0, 'who wants it gets it');


# Jamf Pro

my $j = PKI::Sim->new('jamf', dir => $t->{dir}, demo => 1);

$o = $j->option;
$r = http($j->port, 'POST', '/api/v1/oauth/token', body => form(
    grant_type => 'client_credentials', client_id => $o->{client_id},
    client_secret => $o->{client_secret}));
is(decode_json($r->{body})->{expires_in}, 60, 'a token of Jamf');
my $short = decode_json($r->{body})->{access_token};
$r = http($j->port, 'POST', '/api/v1/oauth/token', body => form(
    grant_type => 'client_credentials', client_id => 'x'));
is($r->{status}, 400, 'a wrong client');
is(decode_json($r->{body})->{error}, 'invalid_client', 'by RFC 6749');
my $inventory = '/api/v4/computers-inventory?sort=id:asc';
is(ask($j, $inventory, token => $short)->{json}{totalCount}, 2, 'is good');
$j->clock(advance => 61);
is(ask($j, $inventory, token => $short)->{status}, 401, 'for a minute');

sub basic {
    my $r = http($j->port, 'POST', '/api/v1/auth/token', headers => {
        Authorization => 'Basic ' . encode_base64(shift, '') });
    $r->{json} = decode_json($r->{body});
    return $r;
}

is(basic('api:x')->{json}{httpStatus}, 401, 'a wrong password');
$r = basic("$o->{user}:$o->{password}");
like($r->{json}{expires}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
     'a token of a user');
my $first = $r->{json}{token};
$r = ask($j, '/api/v1/auth/keep-alive', method => 'POST', token => $first);
is(ask($j, $inventory, token => $first)->{status}, 401, 'the old one is bad');
is(ask($j, $inventory, token => $r->{json}{token})->{status}, 200,
   'the new one good');

$token = $j->token(lifetime => 86400);
$r = ask($j, "$inventory&section=GENERAL&section=USER_AND_LOCATION");
is(join(' ', map { "$_->{id}:$_->{userAndLocation}{username}" }
             @{ $r->{json}{results} }), '4:ann 5:bob', 'computers');
like($r->{body}, qr/"id":"4"/, 'ids are strings');
ok(exists $r->{json}{results}[0]{general}{lastContact}, 'names of v4');
$j->option(versions => [1, 3]);
like(ask($j, $inventory)->{body}, qr/^<html>/, 'v4 is not there');
ok(exists ask($j, $inventory =~ s/v4/v3/r)->{json}{results}[0]{general}
   {lastContactTime}, 'v3 is');
$j->option(versions => [1, 2, 3, 4]);
is(ask($j, '/api/v4/computers-inventory/9')->{json}{httpStatus}, 404,
   'no such computer');

$j->bulk('computer', 3000);
$j->option(cap => 2000);
$r = ask($j, "$inventory&page-size=5000");
is(@{ $r->{json}{results} }, 2000, 'more than asked are not given');
is(ask($j, "$inventory&page-size=2000&page=1")->{json}{results}[-1]{id},
   4002, 'the rest');
my $before = ask($j, "$inventory&page-size=1000")->{json}{results}[-1]{id};
$j->delete('computer', 4);
my $after = ask($j, "$inventory&page-size=1000&page=1")
            ->{json}{results}[0]{id};
is($after, $before + 2, 'a deletion hides a row');
is(@{ ask($j, '/api/v4/computers-inventory?filter=general.'
              . 'remoteManagement.managed==false')->{json}{results} }, 0,
   'a filter');

my $mobile = '/api/v2/mobile-devices/detail?section=GENERAL';

$j->add('mobileDevice', id => 8, _bad => $true);
is(ask($j, $mobile)->{status}, 500, 'one bad record');
$r = ask($j, "$mobile&exception-handling=LENIENT");
is($r->{json}{results}[1]{general}, undef, 'LENIENT');
is($r->{json}{results}[0]{mobileDeviceId}, '7', 'the other is there');
$j->option(exceptions => $false);
is(ask($j, "$mobile&exception-handling=LENIENT")->{status}, 500,
   'an older server');
is(ask($j, '/api/v2/mobile-devices/7/detail')->{json}{location}{username},
   'ann', 'one, flat');
is(ask($j, '/api/v1/users')->{json}{hasNext}, $false, 'users');
$j->option(users_api => $false);
is(ask($j, '/api/v1/users')->{status}, 404, 'or not');
is(ask($j, '/JSSResource/users/name/ann', headers => {
       Accept => 'application/json' })->{json}{user}{id}, 17, 'classic');
like(ask($j, '/JSSResource/users')->{body}, qr/^<\?xml/, 'XML otherwise');

$j->option(nodes => 2);
$j->clock(advance => 120);
$j->change('computer', 5, managed => $false);
sub managed {
    my $r = ask($j, '/api/v4/computers-inventory/5', headers => {
        Cookie => "jpro-ingress=node$_[0]" });
    return $r->{json}{general}{remoteManagement}{managed} ? 1 : 0;
}
is(managed(0) . managed(1), '01', 'nodes disagree');
$j->clock(advance => 61);
is(managed(0) . managed(1), '00', 'for a minute');
like(ask($j, '/api/v4/computers-inventory/5')->{headers}{'set-cookie'},
     qr/^jpro-ingress=node[01]/, 'a cookie');

$j->add('webhook', url => $hook_url, event => 'MobileDeviceUnEnrolled',
        header => { name => 'X-Secret', value => 's3' });
$j->change('mobileDevice', 7, managed => $false);
$asked = hook();
is($asked->{json}{event}{jssID}, 7, 'a webhook');
like($asked->{request}, qr/^X-Secret: s3\r$/m, 'with its header');

my @open = map { http_connect($j->port) } 1 .. 6;
http($j->port, 'GET', '/x', socket => $_) for @open;
cmp_ok($j->stats->{connections_most}, '>=', 6, 'connections are counted');


# SCIM

my $scim = PKI::Sim->new('scim', dir => $t->{dir});

$token = 'scim-secret';
ok(!exists ask($scim, '/scim/v2/Users')->{json}{Resources}, 'nobody');
$scim->add('user', userName => "u$_", active => $_ % 2 ? $true : $false)
    for 1 .. 5;
$r = ask($scim, '/scim/v2/Users?startIndex=2&count=2');
is(join(' ', map { $_->{userName} } @{ $r->{json}{Resources} }), 'u2 u3',
   'by index');
is($r->{json}{totalResults}, 5, 'of five');
is(ask($scim, '/scim/v2/Users?filter=active%20eq%20false')
   ->{json}{totalResults}, 2, 'a filter');
is(ask($scim, '/scim/v2/Users?filter=meta.lastModified%20gt%20'
              . '"2099-01-01T00:00:00Z"')->{json}{totalResults}, 0, 'by time');
is(ask($scim, '/scim/v2/Users/none')->{json}{status}, '404', 'none');
is(ask($scim, '/scim/v2/Users', token => 'x')->{status}, 401, 'a token');
$scim->option(cursor => $true);
my $page = ask($scim, '/scim/v2/Users?count=4')->{json};
my $cursor = $page->{nextCursor} =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger;
$page = ask($scim, "/scim/v2/Users?count=4&cursor=$cursor")->{json};
is($page->{Resources}[0]{userName}, 'u5', 'by cursor');
ok(!exists $page->{nextCursor}, 'to the end');
is(ask($scim, '/scim/v2/Users?cursor=x')->{json}{scimType}, 'invalidCursor',
   'an unknown one');
$scim->option(active_text => $true);
is(ask($scim, "/scim/v2/Users/$r->{json}{Resources}[0]{id}")
   ->{json}{active}, 'false', 'a string for a truth value');


# one that does not start

ok(!eval { PKI::Sim->new('graph', dir => $t->{dir},
                         args => ['--nonsense']) }, 'wrong arguments');
like($@, qr/does not start\n.*Unknown option/s, 'are told');

$_->stop for $g, $old, $j, $scim;
$t->done;
