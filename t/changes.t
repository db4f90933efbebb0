# Changes as a directory tells them: twice, in any order, with words that
# nobody expects; and none is lost when their reader dies in between.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $sync = 'pki:{entra}:sync';

sub enabled { return (accountEnabled => JSON::PP::true) }
sub disabled { return (accountEnabled => JSON::PP::false) }

# the words that a certificate goes through in a time

sub course {
    my ($d, $cert, $time) = @_;

    my @course;
    my $end = time + $time;

    while (time < $end) {
        my $is = $d->status($cert);

        push @course, $is if !@course || $course[-1] ne $is;
        sleep 0.02;
    }

    return @course;
}

# C4: changes again and again, in any order; the last one of a round counts

{
    my $d = PKI::Directory->new($t, entra => {
        text => 'resources devices;',
        options => { delta_shuffle => JSON::PP::true, delta_replay => 3 },
    });
    my $g = $d->{sim}{graph};
    my @device = map { $g->add('device') } 1 .. 4;
    my @cert = map { $d->cert('device', Device => $_->{deviceId}) } @device;

    $d->becomes($_, 'good', 'C4: enrolled') for @cert;

    for (1 .. 3) {
        $g->change('device', $_->{id}, disabled) for @device;
        $g->change('device', $_->{id}, enabled) for @device;
    }

    $g->change('device', $device[3]{id}, disabled);
    $d->becomes($cert[3], 'hold', 'C4: the last word is disabled');
    $d->round('entra', 'devices');
    is_deeply([course($d, $cert[0], 1)], ['good'], 'C4: enabled, and stays');
    is_deeply([course($d, $cert[3], 1)], ['hold'], 'C4: disabled, and stays');

    my @said = ({ %{ $device[0] }, enabled }, { %{ $device[0] }, disabled });
    my $page = '^/v1\.0/devices/delta\?.*deltatoken';
    my $says = sub {
        return { path => $page, do => { mangle => [
            map { { set => '/value/-', to => $_ } } @_ ]}};
    };

    $g->fault(($says->(reverse @said)) x 3);
    is_deeply([course($d, $cert[0], 1.5)], ['good'],
              'C4: disabled and enabled in one page');
    ok(!@{ $g->faults }, 'C4: told');
    $g->fault($says->(@said));
    $d->becomes($cert[0], 'hold', 'C4: enabled and disabled in one page');
    $g->fault({ path => $page, times => 0, do => { mangle => [
        { reverse => '/value' }, { duplicate => '/value/0' } ]}});
    $g->change('device', $device[0]{id}, enabled);
    $d->becomes($cert[0], 'good', 'C4: reversed');
    $g->faults_clear;

    # C22: a page of two is taken, the next one never comes; then the reader
    # dies, and its lease ends

    my $n = $d->{nginx};

    $g->change('device', $_->{id}, enabled) for @device;
    $d->becomes($cert[3], 'good', 'C22: all are enabled');
    $g->option(delta_replay => 0, delta_page => 2);
    sleep 0.5;
    $g->log_clear;
    $g->fault({ path => '^/v1\.0/devices/delta\?.*skiptoken', times => 1,
                do => { hang => JSON::PP::true } });
    $g->mass('device', every => 1, set => { disabled });
    ok(wait_until(5, sub { !@{ $g->faults } }), 'C22: in the middle');

    my $link = $t->redis_cli('HGET', $sync, 'devices.link') =~ s/^[\d,]+//r;
    my ($path) = $link =~ m{^http://[^/]+(/.*)};

    is(scalar(grep { $_->{target} eq $path } $g->log('delta')), 1,
       'C22: the link of the changes is kept until all are taken');
    is(scalar(grep { $d->status($_) eq 'good' } @cert), 4,
       'C22: nothing of a round that is not complete');
    kill 'KILL', $n->workers;
    ok(wait_until(10, sub { $n->workers == 2 && $n->ready }),
       'C22: new workers');
    $t->redis_cli('DEL', 'pki:{entra}:lease');
    $d->becomes($_, 'hold', 'C22: no change is lost') for @cert;
    cmp_ok(scalar(grep { $_->{target} eq $path } $g->log('delta')), '>=', 2,
           'C22: the same link again');
    isnt($t->redis_cli('HGET', $sync, 'devices.link') =~ s/^[\d,]+//r, $link,
         'C22: and then the next one');
    $n->stop;
    $t->allow(qr/exited on signal 9/);
    $g->stop;
}

# C15: literals that are not known

{
    my $d = PKI::Directory->new($t,
        entra => { text => 'resources users; risk high; full 0;',
                   name => 'people' },
        intune => { text => 'compliance on;' });
    my $g = $d->{sim}{graph};
    my %cert;

    for (['managed', 'compliant', 'good'],
         ['brandNewState', 'compliant', 'tryLater'],
         ['unknownFutureValue', 'compliant', 'tryLater'],
         ['managed', 'unknownFutureValue', 'tryLater'],
         ['managed', 'brandNewState', 'tryLater'],
         ['wipePending', 'brandNewState', 'revoked'])
    {
        my ($managed, $compliant, $status) = @$_;
        my $device = $g->add('managedDevice', managementState => $managed,
                             complianceState => $compliant);
        my $cert = $d->cert('managed', Device => $device->{id});

        $d->round('intune', 'devices') if $status eq 'tryLater';
        $d->becomes($cert, $status, "C15: $managed, $compliant");
        isnt($t->redis_cli('GET', "pki:{intune}:object:device/$device->{id}"),
             '', 'C15: is known');
        $cert{$status} = $cert;
        $cert{device} = $device;
    }

    $g->change('managedDevice', $cert{device}{id},
               managementState => 'brandNewState');
    $d->round('intune', 'devices');
    is($d->status($cert{revoked}), 'revoked', 'C15: and makes nothing good');

    my ($line) = $d->{nginx}->http('GET', '/metrics')->{body}
                 =~ /^pki_directory_unclear_total\{.*"devices"\} (\d+)/m;

    cmp_ok($line // 0, '>=', 4, 'C15: they are counted');

    my @user = map { $g->add('user') } 1 .. 2;
    my @cert = map { $d->cert('user', User => $_->{id}) } @user;

    $g->add('riskyUser', id => $_->{id}) for @user;
    $d->becomes($_, 'hold', 'C15: a risky user', 15) for @cert;
    $g->fault({ path => 'riskyUsers', times => 0, do => { mangle => [
        { set => '/value/0/riskState', to => 'brandNewState' },
        { set => '/value/1/riskLevel', to => 'brandNewLevel' } ]}});
    $d->round('people', 'risk');
    is($d->status($_), 'hold', 'C15: stays what it was') for @cert;

    $d->{nginx}->stop;
    $g->stop;
}

$t->done;
