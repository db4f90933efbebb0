# The two ways to a token of Jamf Pro: tokens that end early, refused secrets,
# an account whose token is kept alive (J1).

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, jamf => { text => 'page 4; backoff 300ms;' });
my $j = $d->{sim}{jamf};
my $n = $d->{nginx};
my @certs = ($d->cert('computer', JamfComputer => 1),
             $d->cert('user', JamfUser => 1));

$j->add_all(map { ({ kind => 'computer', id => "$_" },
                   { kind => 'jamfUser', id => "$_" }) } 1 .. 10);

sub failing {
    my ($resource, $regex, $what) = @_;

    my $error = '';

    ok(PKI::Test::wait_until(10, sub {
        $error = ($d->resource('jamf', $resource) || {})->{error} // '';
        $error =~ $regex
    }), "$what is told") or diag("the error is \"$error\"");
}

sub recovers {
    my ($resource, $what) = @_;

    ok($d->round('jamf', $resource), "$what: recovered");
}

sub refused { grep { $_->{status} == 401 } $j->log }

$d->becomes($_, 'good', 'a record') for @certs;

# one renewal each, no round is lost

$j->log_clear;
$j->fault({ path => '/computers-inventory\?.*page=1&',
            do => { expire_token => PKI::Sim::true } });
ok(wait_until(10, sub { refused() && !@{ $j->faults } }), 'a token ends');
recovers('computers', 'a token that ended within a listing');

my @log = $j->log;
my ($at) = grep { $log[$_]{status} == 401 } 0 .. $#log;
my ($token) = grep { $log[$_]{target} =~ m{/oauth/token} } $at .. $#log;
my ($again) = grep { $log[$_]{target} eq $log[$at]{target} }
              $token .. $#log;

is($log[$again]{status}, 200, 'the same page with another token');
is(scalar(grep { m{/oauth/token} } map { $_->{target} } @log[0 .. $again]), 1,
   'of which one was asked for');
ok(refused() <= 3, 'nobody insists');
unlike($n->log, qr/401/, 'that is no failure');

$j->option(token_lifetime => 2);
$j->control('POST', 'clock', { advance => 3600 });
recovers('users', 'another clock');
$j->log_clear;
sleep 2.5;
@log = grep { $_->{target} =~ m{/oauth/token} } $j->log;
ok(@log >= 1 && @log <= 4, 'tokens of two seconds: ' . @log . ' in 2.5 s');
is(scalar refused(), 0, 'none is used up to its end');

my $secret = $d->jamf_secret;

$j->option(client_secret => 'another');
$j->control('POST', 'clock', { advance => 10 });
failing('users', qr/invalid_client/, 'a refused secret');
is($d->status($_), 'good', 'while it is wrong') for @certs;
$j->option(client_secret => $secret);
recovers('users', 'a secret put right');
unlike($n->log, qr/jamf~S3cret|eyJ/, 'no secret in the log');

$j->option(token_lifetime => 600);

# an account: its token is kept alive, which ends the one before; when it
# "expires" is told by a clock that is an hour ahead by now, in whole seconds

$j->option(user_token_lifetime => 5);

my $account = PKI::Directory->new($t, jamf => {
    name => 'account', sim => $j, login => 'account api;',
    secret => $j->option->{password},
});

$account->becomes($certs[1], 'good', 'with an account');
$j->log_clear;
sleep 5.5;
@log = grep { $_->{target} =~ m{/auth/} } $j->log;
ok(@log >= 1 && @log <= 3, 'kept alive: ' . @log . ' in 5.5 s');
is(scalar(grep { $_->{target} !~ m{/auth/keep-alive$} } @log), 0,
   'without the password');
is(scalar refused(), 0, 'none is used up to its end');
$account->{nginx}->stop;

$t->done;
