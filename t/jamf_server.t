# What a server of Jamf Pro does besides telling of its records: versions,
# pages, damaged records, a proxy in front (rows J2, J3, J4, J6 and J8).

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;
use POSIX qw(strftime);

sub ago { strftime '%Y-%m-%dT%H:%M:%SZ', gmtime time - $_[0] * 24 * 3600 }

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, jamf => {
    text => 'silent 30d; page 4; backoff 300ms;',
});
my $j = $d->{sim}{jamf};
my $n = $d->{nginx};

$j->control('DELETE', 'stats');

my %recent = (reportDate => ago(1),
              general => { lastContactDate => ago(1) });

$j->add_all(map { ({ kind => 'computer', id => "$_", reportDate => ago(1) },
                   { kind => 'mobileDevice', id => "$_", %recent },
                   { kind => 'jamfUser', id => "$_" }) } 1 .. 10);

my %kinds = (computers => ['computer', 'JamfComputer'],
             mobile => ['mobileDevice', 'JamfDevice'],
             users => ['jamfUser', 'JamfUser']);

sub certs {
    my ($resource, @ids) = @_;
    return map { $d->cert($resource, $kinds{$resource}[1] => $_) } @ids;
}

sub all {
    my ($what, $status, @certs) = @_;
    is($d->status($_), $status, "$what: $status") for @certs;
}

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

my %certs = map { $_ => [certs($_, 1, 2, 10)] } keys %kinds;

$d->becomes($_, 'good', 'a record') for map { @$_ } values %certs;

# J2: an older server, and one that was updated

$j->option(versions => [1]);
$j->change('computer', 1, reportDate => ago(99));
$d->becomes($certs{computers}[0], 'hold', 'v1: not heard of');
$j->change('computer', 1, general => { lastContactTime => ago(1) });
$d->becomes($certs{computers}[0], 'good', 'v1: lastContactTime');
$j->option(versions => [4]);
recovers('computers', 'only v4');
$j->change('computer', 1, reportDate => ago(99), general => {});
$d->becomes($certs{computers}[0], 'hold', 'v4: not heard of');
$j->change('computer', 1, general => { lastContact => ago(1) });
$d->becomes($certs{computers}[0], 'good', 'v4: lastContact');
$j->option(versions => [1 .. 4]);

$j->option(users_api => PKI::Sim::false);
$j->delete('jamfUser', 2);
recovers('users', 'the classic API');
all('the classic API: a deletion proves nothing', 'good', $certs{users}[1]);
$j->add('jamfUser', id => '42');
$d->becomes(certs('users', 42), 'good', 'the classic API: a number as id');
$j->option(users_api => PKI::Sim::true);
$d->becomes($certs{users}[1], 'revoked', 'the new API: deleted');

# J3: pages are not as asked for, totals not as told

$j->option(cap => 3);
recovers('computers', 'smaller pages');
$j->option(drift => 1);
failing('computers', qr/broke off at \d+ of \d+ records/, 'a total that grows');
$j->option(drift => -1);
failing('computers', qr/number of records changed/, 'one that shrinks');
$j->delete('computer', 2);
$d->stays($certs{computers}[1], 'good', 'nothing follows from absence', 0.6);
$j->option(drift => 0, cap => 2000);
$d->becomes($certs{computers}[1], 'revoked', 'a total that stays');

$j->fault({ path => '/computers-inventory\?.*page=0&', do => { then => [
            ['DELETE', '/sim/objects/computer/1'] ] } });
ok(wait_until(10, sub { !@{ $j->faults } }), 'deleted between two pages');
$d->becomes($certs{computers}[0], 'revoked', 'is deleted');
my @rest = certs('computers', 3 .. 9);
all('the row that was skipped', 'good', @rest);

# J4: damaged records

$j->option(exceptions => PKI::Sim::false);
$j->change('computer', 5, _bad => PKI::Sim::true);
ok(wait_until(15, sub { $n->log =~ /"computers": 1 unreadable item/ }),
   'a record that cannot be shown is told');
$j->delete('computer', 10);
$d->becomes($certs{computers}[2], 'revoked', 'meanwhile another is deleted',
            20);
all('the damaged one', 'good', @rest);
is($d->resource('jamf', 'computers')->{state}, 'ok', 'rounds are complete');
$j->change('computer', 5, _bad => PKI::Sim::false);
$j->option(exceptions => PKI::Sim::true);

$j->change('mobileDevice', 2, _bad => PKI::Sim::true);
$d->becomes($certs{mobile}[1], 'tryLater', 'without its sections: unclear');
all('another', 'good', $certs{mobile}[0]);
$j->change('mobileDevice', 2, _bad => PKI::Sim::false);
$d->becomes($certs{mobile}[1], 'good', 'repaired');

# J6: what comes from the proxy in front proves nothing

$j->fault({ path => '/computers-inventory', times => 0,
            do => { status => 502 } });
failing('computers', qr/502/, 'a bad gateway');
$j->faults_clear;
recovers('computers', 'a bad gateway');

for (qw(html json)) {
    $j->option(versions => [], not_there => $_);
    failing('computers', qr/404/, "no such listing ($_)");
    $d->stays($rest[0], 'good', "no such listing ($_)", 0.5);
    is($d->status(certs('computers', 77)), 'tryLater',
       "a record that nobody knows ($_)");
    $j->option(versions => [1 .. 4]);
    recovers('computers', "the listing is there again ($_)");
}

$j->fault({ path => '/computers-inventory/', times => 0,
            do => { status => 404, html => 'nothing here' } });
$j->delete('computer', 3);
$d->stays($rest[0], 'good', 'an HTML 404 is no absence', 1);
$j->faults_clear;
$d->becomes($rest[0], 'revoked', 'one in JSON is', 20);

# J8

my $most = $j->stats->{connections_most};

ok($most <= 5, "no more than five connections: $most");

$t->done;
