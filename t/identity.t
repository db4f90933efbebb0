# Who is who: the three GUIDs of a laptop, devices that get another id or are
# registered again, users that get another name.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $any = PKI::Directory->new($t, entra => {}, intune => {});
my $g = $any->{sim}{graph};

# a second server asks the same directories, which the first one polls

my $all = PKI::Directory->new($t, entra => { sim => $g },
                              intune => { sim => $g }, nginx => {
    issuer => 'unknown serial; devices all;',
});
my ($true, $false) = (PKI::Sim::true, PKI::Sim::false);

sub cert { my ($name, $id) = @_; return $any->cert($name, Device => $id) }

sub record {
    my ($directory, $id) = @_;
    return $t->redis_cli('GET', "pki:{$directory}:object:$id");
}

sub resolve {
    my ($name) = @_;

    my ($status, $text) = $t->admin('resolve', '--redis', $t->redis_addr,
                                    '--directory', 'entra', '--name', $name);
    chomp $text;
    return $status ? '' : $text;
}

# both directories have told of it

sub known {
    my ($device, $managed) = @_;

    ok(wait_until(10, sub {
        record('entra', "device/$device") =~ /^1 0 /
        && (!$managed || record('intune', "device/$managed") =~ /^1 0 /)
    }), 'it is known');
}

# what both servers say of some certificates: "any" and "all"

sub becomes {
    my ($what, %certs) = @_;

    for my $cert (sort keys %certs) {
        my ($name) = $cert =~ /(\w+)-\d+\.pem$/;

        $any->becomes($cert, $certs{$cert}[0], "$what: $name, any");
        $all->becomes($cert, $certs{$cert}[1], "$what: $name, all");
    }
}

# a laptop: object id, device id, and Intune's id

my $laptop = $g->add('device');
my $managed = $g->add('managedDevice',
                      azureADDeviceId => uc $laptop->{deviceId});

known($laptop->{deviceId}, $managed->{id});

my $entra = cert('entra', $laptop->{deviceId});
my $intune = cert('intune', $managed->{id});
my $object = cert('object', $laptop->{id});

becomes('a laptop', $entra => ['good', 'good'], $intune => ['good', 'good']);
$any->becomes($object, 'hold', 'the object id is the id of no device');
like(record('entra', "device/$laptop->{id}"), qr/^1 (?:64|512|576) /,
     'told to be none, and not the laptop');
like(record('entra', "device/$laptop->{deviceId}"), qr/^1 0 /, 'the laptop');
like(record('intune', "device/$managed->{id}"),
     qr{^1 0 \d+ device/$laptop->{deviceId}$}, 'Intune maps it');
like($t->redis_cli('HGET', 'pki:{entra}:index:devices', $laptop->{id}),
     qr{ device/$laptop->{deviceId}$}, 'Entra maps the object id');

$g->change('device', $laptop->{id}, accountEnabled => $false);
becomes('disabled in Entra', $entra => ['hold', 'hold'],
        $intune => ['good', 'hold']);
$g->change('device', $laptop->{id}, accountEnabled => $true);
becomes('enabled', $entra => ['good', 'good'], $intune => ['good', 'good']);

$g->wipe('managedDevice', $managed->{id});
becomes('a wipe in Intune', $entra => ['good', 'revoked'],
        $intune => ['revoked', 'revoked']);
$g->change('managedDevice', $managed->{id}, managementState => 'managed');
becomes('canceled', $entra => ['good', 'good'], $intune => ['good', 'good']);

$g->delete('managedDevice', $managed->{id});
becomes('deleted in Intune', $entra => ['good', 'revoked'],
        $intune => ['revoked', 'revoked']);

# another one, deleted in Entra

my $second = $g->add('device');
my $second_managed = $g->add('managedDevice',
                             azureADDeviceId => $second->{deviceId});

known($second->{deviceId}, $second_managed->{id});

my $entra2 = cert('entra2', $second->{deviceId});
my $intune2 = cert('intune2', $second_managed->{id});

becomes('a second', $entra2 => ['good', 'good'], $intune2 => ['good', 'good']);
$g->delete('device', $second->{id});
becomes('deleted in Entra', $entra2 => ['revoked', 'revoked'],
        $intune2 => ['good', 'revoked']);

# one that Intune has never seen

my $alone = $g->add('device');
my $only = cert('only', $alone->{deviceId});

becomes('in Entra only', $only => ['good', 'hold']);
$g->add('managedDevice', azureADDeviceId => $alone->{deviceId});
becomes('enrolled in Intune as well', $only => ['good', 'good']);

# A Mac carries Intune's id until it is registered in Entra: the device id
# changes, the object id stays.

my $mac = $g->add('managedDevice');
my $mac_object = $g->add('device', deviceId => $mac->{id});
my $before = cert('before', $mac->{id});
my $new_id = '0a0b0c0d-1111-4222-8333-444455556666';
my $after = cert('after', $new_id);

known($mac->{id}, $mac->{id});
$any->becomes($before, 'good', 'a Mac with one id');
$g->change('device', $mac_object->{id}, deviceId => $new_id);
$any->becomes($after, 'good', 'the new id');
ok(wait_until(10, sub {
    record('entra', "device/$mac->{id}") =~ /^1 (?:1|512) /
}), 'the old one is none of Entra any more')
    or diag(record('entra', "device/$mac->{id}"));
$any->stays($before, 'good', 'Intune knows the old id', 0.3);
$g->change('device', $mac_object->{id}, accountEnabled => $false);
$any->becomes($after, 'hold', 'disabled: the new id');
is($any->status($before), 'good', 'disabled: not the old id');

# without Intune the old id is the id of no device

my $phone = $g->add('device');
my $phone_before = cert('phone', $phone->{deviceId});

$any->becomes($phone_before, 'good', 'a phone');
$g->change('device', $phone->{id},
           deviceId => '0a0b0c0d-1111-4222-8333-444455557777');
$any->becomes($phone_before, 'revoked', 'its former id');

# registered again: another object, with another device id

my $first = $g->add('device');
my $row = $g->add('managedDevice', azureADDeviceId => $first->{deviceId});

known($first->{deviceId}, $row->{id});

my $first_cert = cert('first', $first->{deviceId});
my $row_cert = cert('row', $row->{id});

becomes('registered', $first_cert => ['good', 'good'],
        $row_cert => ['good', 'good']);
$g->delete('device', $first->{id});

my $again = $g->add('device', displayName => $first->{displayName});
my $again_cert = cert('again', $again->{deviceId});

$g->change('managedDevice', $row->{id},
           azureADDeviceId => $again->{deviceId});
known($again->{deviceId});
ok(wait_until(10, sub {
    record('intune', "device/$row->{id}") =~ m{/$again->{deviceId}$}
}), 'Intune has the new id');
becomes('registered again', $first_cert => ['revoked', 'revoked'],
        $again_cert => ['good', 'good'], $row_cert => ['good', 'good']);

# a user keeps the certificates, whatever the name

my $ann = $g->add('user', userPrincipalName => 'Ann.Lee@example.com');
my $guest = $g->add('user', userType => 'Guest', userPrincipalName =>
                    'eve_contoso.com#EXT#@fabrikam.onmicrosoft.com');

ok(wait_until(10, sub { resolve('ann.lee@EXAMPLE.com') }), 'a name');
is(resolve('ann.lee@EXAMPLE.com'), "user/$ann->{id}", 'in any case');
ok(wait_until(10, sub { resolve($guest->{userPrincipalName}) }),
   'the name of a guest');
is(resolve($guest->{userPrincipalName}), "user/$guest->{id}", 'leads there');
is(resolve('nobody@example.com'), '', 'nobody');

chomp(my $serial = run_ok($t->{admin}, 'serial', 'make', '--kind', 'User',
                          '--redis', $t->redis_addr, '--directory', 'entra',
                          '--upn', 'ann.lee@example.com'));
my $ann_cert = $t->cert($any->{ca}, 'ann', serial => $serial);
my $guest_cert = $any->cert('guest', User => $guest->{id});

$any->becomes($ann_cert, 'good', 'made for a name');
$any->becomes($guest_cert, 'good', 'of a guest');

$g->change('user', $ann->{id}, userPrincipalName => 'ann.wong@example.com');
ok(wait_until(10, sub { resolve('ann.wong@example.com') }), 'a new name');
is(resolve('ann.wong@example.com'), "user/$ann->{id}", 'leads to the same');
is($any->status($ann_cert), 'good', 'the certificate is good');

my $other = $g->add('user', userPrincipalName => 'ann.lee@example.com');

ok(wait_until(10, sub {
    resolve('ann.lee@example.com') eq "user/$other->{id}"
}), 'somebody else has the old name');
$g->change('user', $other->{id}, accountEnabled => $false);
$any->becomes($any->cert('other', User => $other->{id}), 'hold',
              'the other is disabled');
is($any->status($ann_cert), 'good', 'which is not her affair');
$g->change('user', $ann->{id}, accountEnabled => $false);
$any->becomes($ann_cert, 'hold', 'she is disabled');
$g->delete('user', $guest->{id});
$any->becomes($guest_cert, 'revoked', 'the guest is gone');

# what a directory is not asked about it has no say in

$_->{nginx}->stop for $all, $any;
$g->log_clear;

my $part = PKI::Directory->new($t, entra => {
    sim => $g, name => 'part', text => 'resources devices;',
});

$part->becomes($only, 'good', 'resources devices: a device');
$part->becomes($ann_cert, 'good', 'resources devices: a disabled user');
is_deeply([map { $_->{name} } @{ $part->directories->{part}{resources} }],
          ['devices'], 'resources devices: devices only');
is((grep { $_->{target} =~ m{/users} } $g->log), 0,
   'resources devices: users are not asked for');
$part->{nginx}->stop;
$g->log_clear;

my $people = PKI::Directory->new($t, entra => {
    sim => $g, name => 'people', text => 'resources users;',
});

$people->becomes($ann_cert, 'hold', 'resources users: a disabled user');
$people->becomes($entra, 'good', 'resources users: a device');
is((grep { $_->{target} =~ m{/devices} } $g->log), 0,
   'resources users: devices are not asked for');

$t->done;
