# Certificates that Intune wants revoked by serial number: the list of the
# endpoints' certificates, and the queue of requests for a CA that is not
# Microsoft's, which is taken, carried out and answered.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, intune => {
    text => 'endpoint_list on; revocations on; backoff 300ms;',
});
my $g = $d->{sim}{graph};
my $n = $d->{nginx};
my $app = '0000000a-0000-0000-c000-000000000000';
my $context = 0;

sub static { return $t->cert($d->{ca}, shift) }

sub asked {
    my ($regex) = @_;
    return grep { $_->{target} =~ $regex } $g->log;
}

sub audit {
    my ($serial) = @_;

    my @lines = split /\n/, $t->redis_cli('XRANGE', 'pki:{demo}:audit', '-',
                                          '+');

    return scalar grep { $_ eq $serial } @lines;
}

sub request {
    my ($serial, %fields) = @_;

    return $g->add('revocation', requestContext => 'request ' . ++$context,
                   serialNumber => $serial, %fields)->{requestContext};
}

# the last answer to a request

sub answer {
    my ($context, $limit) = @_;

    my $answer;

    wait_until($limit // 10, sub {
        ($answer) = reverse grep { $_->{requestcontext} eq $context }
                    @{ $g->get('caCall') };
    });

    return $answer || {};
}

sub succeeded {
    my ($context, $what) = @_;

    my $r = answer($context);

    is_deeply([@$r{qw(succeeded errorcode errormessage)}],
              [PKI::Sim::true, 'None', undef], "$what: answered as done");
}

sub failed {
    my ($context, $code, $what) = @_;

    my $r = answer($context);

    is_deeply([@$r{qw(succeeded errorcode)}], [PKI::Sim::false, $code],
              "$what: $code");
    ok(length($r->{errormessage} // ''), 'with a reason');
}

# what the last round says of a resource

sub error_is {
    my ($resource, $regex, $what) = @_;

    ok(wait_until(10, sub {
        ($d->resource('intune', $resource)->{error} // '') =~ $regex
    }), $what) or diag($d->resource('intune', $resource)->{error});
}

sub works {
    my ($what) = @_;
    ok($d->round('intune', 'revocations'), $what);
}

ok($n->ready, 'ready');

# the endpoint list

my %state = map { $_ => static($_) } qw(none pending issued failed revoked);
my %entry;

$entry{$_} = $g->add('certificate', certificateRevokeStatus => $_,
                     certificateIssuerName => 'CN=ca',
                     certificateSerialNumber => serial_of($state{$_}))
    for keys %state;

$d->becomes($state{revoked}, 'revoked', 'endpoint list: revoked');
is($n->ask($d->{ca}, $state{revoked})->{reason}, 9, 'privilegeWithdrawn');
$d->stays($state{$_}, 'good', "endpoint list: $_", 0)
    for qw(none pending issued failed);

# as others write serial numbers and names, on the second page of the list

my %written = (
    lower  => [sub { lc shift }, 'cn=CA'],
    colons => [sub { join ':', shift =~ /../g }, undef],
    spaces => [sub { join ' ', shift =~ /../g }, ''],
    zero   => [sub { '00' . shift }, 'CN = ca'],
);
my %cert = map { $_ => static($_) } sort keys %written;
my $foreign = static('foreign');
my $plain = serial_of($foreign);

$g->add_all(map { { kind => 'certificate', certificateSerialNumber =>
                    sprintf '%s%08X', substr($plain, 0, 32), $_ } } 1 .. 1100);
$g->add('certificate', certificateRevokeStatus => 'revoked',
        certificateIssuerName => $written{$_}[1],
        certificateSerialNumber => $written{$_}[0]->(serial_of($cert{$_})))
    for sort keys %written;
$g->add('certificate', certificateRevokeStatus => 'revoked',
        certificateIssuerName => 'CN=somebody else',
        certificateSerialNumber => $plain);

$d->becomes($cert{$_}, 'revoked', "written with $_") for sort keys %written;
$d->stays($foreign, 'good', 'the same number of another CA', 0.3);
ok(asked(qr/CertificateStates\?.*skiptoken/), 'the list has pages');

$g->change('certificate', $entry{revoked}{id},
           certificateRevokeStatus => 'none');
$d->round('intune', 'endpoint-list');
is($d->status($state{revoked}), 'revoked', 'no longer listed: for good');
is(audit(serial_of($state{revoked})), 1, 'one entry in the audit stream');
like($t->redis_cli('XRANGE', 'pki:{demo}:audit', '-', '+'),
     qr/who\ndirectory:intune\n.*?\nwhy\nendpoint-list$/sm, 'says who and why');

# a request of the queue

my $one = static('one');
my $id = request(serial_of($one), issuerName => 'CN=ca');

$d->becomes($one, 'revoked', 'queue: one request');
is($n->ask($d->{ca}, $one)->{reason}, 9, 'privilegeWithdrawn');
succeeded($id, 'one request');
is_deeply($g->get('revocation'), [], 'the queue is empty');
like($t->redis_cli('XRANGE', 'pki:{demo}:audit', '-', '+'),
     qr/\nwhy\nrevocations$/m, 'the audit stream says why');

my ($download) = asked(qr/downloadRevocationRequests$/);
my ($discovery) = asked(qr/servicePrincipals/);
my ($upload) = asked(qr/uploadRevocationResults$/);
my @scopes = map { $_->{body} } asked(qr{oauth2/v2.0/token});

is($_->{headers}{'api-version'}, '5019-05-05', 'api-version')
    for $download, $upload;
like($_->{headers}{'content-type'}, qr{^application/json}, 'JSON')
    for $download, $upload;
is_deeply(JSON::PP::decode_json($download->{body}),
          { downloadParameters => { maxRequests => 500,
                                    issuerName => undef } }, 'download');
is($discovery->{target}, "/v1.0/servicePrincipals/appId=$app/endpoints",
   'discovery');
isnt($discovery->{headers}{authorization}, $download->{headers}{authorization},
     'a token of its own');
my @intune = grep { m{scope=https%3A%2F%2Fapi\.manage\.microsoft\.com%2F%2F
                       \.default}x } @scopes;

is(scalar @intune, 1, 'asked for once, with two slashes');

# what cannot be done is answered too

my $held = static('held');
my $worse = static('worse');

is($n->revoke($d->{token}, $held, 6)->{status}, 200, 'a hold by REST');
is($n->revoke($d->{token}, $worse, 1)->{status}, 200, 'keyCompromise by REST');

my %of = (
    held    => request(serial_of($held)),
    worse   => request(serial_of($worse)),
    unknown => request('0A0B0C'),
    text    => request('no number'),
    ours    => request('0A0B0D', issuerName => 'CN=ca'),
);
my $other = request(serial_of($foreign), issuerName => 'CN=somebody else');
my $bad = request('no number', issuerName => 'CN=somebody else');

succeeded($of{held}, 'on hold');
succeeded($of{worse}, 'revoked for another reason');
failed($of{unknown}, 'CertificateNotFoundError', 'not issued here');
failed($of{text}, 'ParameterDataInvalidError', 'no serial number');
failed($of{ours}, 'CertificateNotFoundError', 'nor here, though it says so');
$d->becomes($held, 'revoked', 'a hold becomes a revocation');
is($n->ask($d->{ca}, $worse)->{reason}, 1, 'the other keeps its reason');

# what another CA is asked to do is left to it

works('nothing else to do');
is_deeply([sort map { $_->{requestContext} } @{ $g->get('revocation') }],
          [sort $other, $bad], 'another CA: still in the queue');
ok(!(grep { $_->{requestcontext} =~ /^(?:$other|$bad)$/ }
     @{ $g->get('caCall') }), 'another CA: not answered');
is($d->status($foreign), 'good', 'another CA: not revoked');
$g->delete('revocation', $_, hard => 1) for $other, $bad;

$g->add_all(map { { kind => 'revocation', requestContext => "theirs $_",
                    serialNumber => sprintf('0A%06X', $_),
                    issuerName => 'CN=somebody else' } } 1 .. 500);
error_is('revocations', qr/500 revocation requests to other issuers are in the/,
         'so many that they are in the way');
is(scalar @{ $g->get('revocation') }, 500, 'none is answered');
$g->delete('revocation', "theirs $_", hard => 1) for 1 .. 500;

# as many as the service hands out at once, and more

my @many = map { sprintf '%s%08X', substr($plain, 0, 32), $_ } 10001 .. 10600;

$g->log_clear;
$g->add_all(map { { kind => 'revocation', requestContext => "many $_",
                    serialNumber => $_ } } @many);
ok(wait_until(15, sub { !@{ $g->get('revocation') } }), '600 are answered');
is_deeply([map { scalar @{ JSON::PP::decode_json($_->{body})->{results} } }
           asked(qr/uploadRevocationResults$/)], [500, 100], 'in two turns');
is($d->status($_), 'revoked', 'revoked') for @many[0, 499, 500, 599];

# results that are not taken: the requests come again, also after a restart

my $again = static('again');

$g->option(upload_value => PKI::Sim::false);
$id = request(serial_of($again));
$d->becomes($again, 'revoked', 'results are refused: revoked');
error_is('revocations', qr/did not take the results/, 'the status says so');

for ([qr/"value"/ => '{}'], [null => '{"value":null}'],
     [text => '{"value":"false"}'], [number => '{"value":1}'])
{
    $g->fault({ path => 'uploadRevocationResults', do => {
        body => $_->[1] } });
    ok(wait_until(10, sub { !@{ $g->faults } }), "an answer $_->[1]");
}

is(scalar @{ $g->get('revocation') }, 1, 'it is still in the queue');
$n->stop;
$g->option(upload_value => 'true');
$n->start;
ok($n->ready, 'started again');
ok(wait_until(10, sub { !@{ $g->get('revocation') } }), 'answered');
succeeded($id, 'the second time');
is($d->status($again), 'revoked', 'revoked');
is(audit(serial_of($again)), 1, 'one entry in the audit stream');
$g->option(upload_value => PKI::Sim::true);
works('and goes on');

# a reply without the list is an error, not an empty list

for (['', qr/the reply is not JSON/], ['{"value":{}}', qr/is no array/],
     ['{"code":"Success"}', qr/is not what was asked for/])
{
    $g->fault({ path => 'downloadRevocationRequests', times => 20,
                do => { body => $_->[0] } });
    error_is('revocations', $_->[1], "a download of '$_->[0]'");
    $g->faults_clear;
}

works('and then a good one');

# where the service is

my ($uri) = map { $_->{uri} } grep { $_->{providerName} =~ /Pki/ }
            @{ $g->option->{endpoints} };
my $dead = 'http://127.0.0.1:' . free_port() . '/RACerts/Pki';

$g->option(endpoints => [{ providerName => 'SomethingElse', uri => $uri }]);
error_is('revocations', qr/knows no usable service "PkiConnectorFEService"/,
         'a tenant without the service');

$g->option(endpoints => [
    { providerName => 'pkiconnectorFESERVICE', uri => $dead },
    { providerName => 'ScepRequestValidationFEService', uri => $dead },
    { providerName => 'PKICONNECTORfeservice', uri => $uri },
]);
works('twice, in other case: the last counts');

$g->option(endpoints => [{ providerName => 'PkiConnectorFEService',
                           uri => $dead }]);
error_is('revocations', qr/Failed to connect/, 'the address refuses');
ok($d->round('intune', 'devices'), 'others go on');
$g->option(endpoints => [{ providerName => 'PkiConnectorFEService',
                           uri => "$uri/" }]);
works('it has moved, and is found');

my $moved = static('moved');

succeeded(request(serial_of($moved)), 'at the new address');
$d->becomes($moved, 'revoked', 'at the new address');

for (['ftp://127.0.0.1/', qr/no usable service/],
     ['http://192.0.2.1', qr/is not of https/],
     ['http://127.0.0.1/a b', qr/no usable service/])
{
    $g->option(endpoints => [{ providerName => 'PkiConnectorFEService',
                               uri => $_->[0] }]);
    error_is('revocations', $_->[1], "no address for a token: $_->[0]");
}

$g->option(endpoints => [{ providerName => 'PkiConnectorFEService',
                           uri => $uri }]);

# no Intune in the tenant: no token for it

$g->option(absent_resources => ['intune']);
$n->stop;
$n->start;
error_is('revocations', qr/500011/, 'the log tells the error of the login');
ok($d->round('intune', 'devices'), 'others go on');

unlike($n->log, qr/\Q$PKI::Directory::secret\E|eyJ/,
       'no secret and no token in the log');

# another reason; a scope with one slash

$g->option(absent_resources => []);
$n->stop;
$g->log_clear;

my $strict = PKI::Directory->new($t, intune => {
    sim => $g, name => 'strict', text => 'endpoint_list on; revocations on;'
        . 'ca_scope https://api.manage.microsoft.com/.default;',
}, nginx => { issuer => 'unknown serial; reason endpoint keyCompromise;' });
my $last = static('last');
my $slash = static('slash');

$g->add('certificate', certificateRevokeStatus => 'revoked',
        certificateSerialNumber => serial_of($last));
$strict->becomes($last, 'revoked', 'with another reason');
is($strict->{nginx}->ask($d->{ca}, $last)->{reason}, 1, 'keyCompromise');
succeeded(request(serial_of($slash)), 'with one slash');
is((grep { $_->{body} =~ /manage.microsoft.com%2F\.default/ }
    asked(qr{oauth2/v2.0/token})), 1, 'asked for with one slash');

$t->done;
