# Tokens that end too early, token endpoints that fail or say what nobody can
# use: one new token where that helps, and never a loop.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $list = '^/v1\.0/devices\?(?!.*skiptoken)';
my $next = '^/v1\.0/devices\?.*skiptoken';
my $token = 'oauth2/v2\.0/token';

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'resources devices; full 0; page 2; stall_timeout 1s;'
            . 'backoff 300ms;',
});
my $n = $d->{nginx};
my $g = $d->{sim}{graph};
my @device = map { $g->add('device') } 1 .. 5;
my @cert = map { $d->cert('device', Device => $_->{deviceId}) } @device;

sub enabled { return (accountEnabled => JSON::PP::true) }
sub disabled { return (accountEnabled => JSON::PP::false) }

# faults that are over, and what the log of requests has

sub faults {
    my ($what, @faults) = @_;

    $g->log_clear;
    $g->fault(@faults);
    ok(wait_until(15, sub { !@{ $g->faults } }), "$what: told");
}

sub requests { return scalar $g->log(@_) }

sub said {
    my ($what, $line, $before) = @_;

    ok(wait_until(5, sub {
           substr($n->log, $before // 0) =~ /pki directory.*$line/
       }), "$what: has its line")
        or diag(substr $n->log, $before // 0);
}

# it lives: a change comes through

my $flips = 0;

sub lives {
    my ($what) = @_;

    my $to = $flips++ % 2 ? 'good' : 'hold';

    $g->change('device', $device[4]{id}, $to eq 'good' ? enabled : disabled);
    $d->becomes($cert[4], $to, "$what: goes on");
    is($d->status($_), 'good', "$what: and no other changes")
        for @cert[0 .. 3];
}

$d->becomes($_, 'good', 'enrolled') for @cert;

# C6: the token ends in the middle of a listing

faults('C6', { path => $next, do => { expire_token => JSON::PP::true } });
ok(wait_until(5, sub { requests($next) >= 3 }), 'C6: goes on');

my ($first, $second) = $g->log($next);

is($first->{status}, 401, 'C6: 401');
is($second->{status}, 200, 'C6: and again, with another token');
is($second->{target}, $first->{target}, 'C6: the same page');
is(requests($token), 1, 'C6: one new token');
lives('C6');

my $before = length $n->log;

faults('C6: all tokens', { path => $list, times => 2,
                           do => { status => 401 } });
said('C6: all tokens', 'status 401', $before);
ok(requests($token) <= 2, 'C6: no token for each');
$g->fault({ path => '^/v1\.0/devices', times => 0, do => { status => 401 } });
sleep 0.2;
$g->log_clear;
sleep 2;
cmp_ok(requests($token), '<=', 4, 'C6: no loop of tokens');
cmp_ok(requests('devices'), '<=', 32, 'C6: no loop of requests');
$g->faults_clear;
lives('C6: all tokens');

# C7: what a token endpoint says

for (['aadsts 7000215', { aadsts => 7000215 }, 'AADSTS7000215'],
     ['aadsts 90033', { aadsts => 90033 }, 'status 503'],
     ['400', { status => 400, body => '{}' }, '400'],
     ['a secret that comes back', { status => 400, json => {
         error => $PKI::Directory::secret,
         error_description => "AADSTS1$PKI::Directory::secret" } }, '400'],
     ['500', { status => 500, body => 'x' }, '500'],
     ['HTML', { html => '<html>' }, 'no token in the reply'],
     ['no token', { json => { token_type => 'Bearer' } }, 'no token'],
     ['slow', { slow => 1 }, 'token endpoint'],
     ['huge', { string => 1 }, 'token endpoint'])
{
    my ($what, $do, $line) = @$_;
    my $at = length $n->log;

    faults("C7: $what", { path => $list, do => {
        expire_token => JSON::PP::true } }, { path => $token, do => $do });
    cmp_ok(requests($token), '<=', 2, "C7: $what: no loop");
    said("C7: $what", $line, $at);
    said("C7: $what", 'recovered', $at);
}

lives('C7');
like($n->http('GET', '/metrics')->{body}, qr/pki_directory_failures_total\{[^}]*
     directory="entra"[^}]*\}\ [1-9]/x, 'C7: a metric has them');

for (['60', 60], ['0', 0], ['negative', -5], ['a string', '3599'],
     ['huge', 1e300], ['many digits', 123456789012345678], ['missing'],
     ['an object', {}])
{
    my ($what, $value) = @$_;

    $g->option(@$_ > 1 ? (token_reply => { expires_in => $value })
                       : (token_reply => {}, token_without => ['expires_in']));
    faults("C7: $what", { path => $list, do => {
        expire_token => JSON::PP::true } });
    ok(wait_until(5, sub { requests($token) }), "C7: expires_in $what: asks");
    sleep 0.4;
    cmp_ok(requests($token), '<=', 3, "C7: expires_in $what: no loop");
}

$g->option(token_reply => {}, token_without => []);
lives('C7: expires_in');

unlike($n->log, qr/S3cr/, 'no secret in the log');

$t->done;
