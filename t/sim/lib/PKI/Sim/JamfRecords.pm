package PKI::Sim::JamfRecords;

# What records of Jamf Pro look like, in each version, made of the flat fields
# that control calls give them: id, name, managed, username, email, udid,
# managementId, and _bad for one that cannot be read.

use strict;
use warnings;

use Exporter 'import';

use PKI::Sim::JSON;
use PKI::Sim::Login qw(guid);

our @EXPORT = qw(fresh_computer bulk_computer computer fresh_mobile
                 bulk_mobile mobile mobile_short mobile_flat bulk_id
                 bulk_number);

my $bulk_first = 1001;      # the id of the first slot, were it of a bulk
my @sections = qw(GENERAL DISK_ENCRYPTION PURCHASING APPLICATIONS STORAGE
                  USER_AND_LOCATION CONFIGURATION_PROFILES PRINTERS SERVICES
                  HARDWARE LOCAL_USER_ACCOUNTS CERTIFICATES ATTACHMENTS
                  PACKAGE_RECEIPTS SECURITY OPERATING_SYSTEM
                  LICENSED_SOFTWARE IBEACONS SOFTWARE_UPDATES
                  EXTENSION_ATTRIBUTES CONTENT_CACHING GROUP_MEMBERSHIPS);
my @members = map { lcfirst join '', map { ucfirst lc } split /_/ } @sections;


sub bulk_id { my ($seed, $n, $slot) = @_; return '' . ($slot + $bulk_first) }

sub bulk_number {
    my ($id, $first) = @_;
    return $id =~ /^\d+$/ ? $id - $bulk_first - $first : ();
}

sub fresh_computer {
    my ($f, $n) = @_;

    $f->{id} = '' . ($f->{id} // $n + 1);
    %$f = (name => "Mac $f->{id}", udid => uc guid(), managed => json_true,
           managementId => guid(), username => '', email => '', %$f);
}

sub bulk_computer {
    my ($seed, $n, $slot) = @_;

    return { id => bulk_id(@_), name => "Mac $n",
             udid => uc _guid($seed, 'c', $n),
             managementId => _guid($seed, 'm', $n), managed => json_true,
             username => "user$n", email => "user$n\@example.com" };
}

sub fresh_mobile {
    my ($f, $n) = @_;

    $f->{id} = '' . ($f->{id} // $n + 1);
    %$f = (name => "iPad $f->{id}", udid => lc guid(), managed => json_true,
           managementId => guid(), username => '', email => '',
           deviceType => 'iOS', deviceOwnershipType => 'Institutional', %$f);
}

sub bulk_mobile {
    my ($seed, $n, $slot) = @_;

    return { id => bulk_id(@_), name => "iPad $n",
             udid => _guid($seed, 'u', $n), deviceType => 'iOS',
             managementId => _guid($seed, 'd', $n), managed => json_true,
             deviceOwnershipType => 'Institutional',
             username => "user$n", email => "user$n\@example.com" };
}

sub _guid {
    my ($seed, $what, $n) = @_;
    return sprintf '%08x-%04x-4000-8000-%012x', $seed, ord $what, $n;
}

sub computer {
    my ($self, $v, $asked, $f) = @_;

    my $when = $f->{reportDate} // '2026-08-20T18:04:13Z';
    my %c = (id => "$f->{id}", udid => $f->{udid});

    @c{@members} = () unless $self->option('absent_sections');

    return \%c if $f->{_bad};

    $c{general} = {
        name => $f->{name}, platform => 'Mac', supervised => json_true,
        remoteManagement => { managed => $f->{managed},
                              managementUsername => undef },
        mdmCapable => { capable => json_true, capableUsers => [],
                        userManagementInfo => [] },
        userApprovedMdm => json_true, managementId => $f->{managementId},
        reportDate => $when, lastEnrolledDate => '2026-01-01T00:00:00Z',
        mdmProfileExpiration => '2028-01-01T00:00:00Z',
        site => { id => '-1', name => 'None' },
        $v >= 4 ? (lastContact => $when, lastCheckIn => $when)
                : (lastContactTime => $when, lastReportedIp => '10.0.0.4'),
        %{ $f->{general} || {} },
    } if $asked->{GENERAL};

    $c{userAndLocation} = {
        username => $f->{username}, realname => $f->{realname},
        email => $f->{email}, position => undef, phone => undef,
        departmentId => '1', buildingId => undef, room => undef,
        extensionAttributes => [],
    } if $asked->{USER_AND_LOCATION};

    $c{certificates} = $f->{certificates} || [] if $asked->{CERTIFICATES};

    return \%c;
}

sub mobile {
    my ($self, $asked, $f) = @_;

    my $when = '2026-08-17T11:48:56.307Z';
    my %d = (mobileDeviceId => "$f->{id}", deviceType => $f->{deviceType});

    @d{qw(general userAndLocation security)} = ()
        unless $self->option('absent_sections');

    return \%d if $f->{_bad};

    $d{general} = {
        udid => $f->{udid}, displayName => $f->{name},
        managed => $f->{managed}, supervised => json_true,
        managementId => $f->{managementId}, lastInventoryUpdateDate => $when,
        lastContactDate => $when, lastEnrolledDate => $when,
        mdmProfileExpirationDate => '2028-01-01T00:00:00Z', siteId => '-1',
        deviceOwnershipType => $f->{deviceOwnershipType},
        %{ $f->{general} || {} },
    } if $asked->{GENERAL};

    $d{userAndLocation} = {
        username => $f->{username}, realName => $f->{realname},
        emailAddress => $f->{email},
    } if $asked->{USER_AND_LOCATION};

    $d{security} = { jailBreakDetected => json_false,
                     lostModeEnabled => json_false,
                     attestationStatus => 'SUCCESS' } if $asked->{SECURITY};

    return \%d;
}

sub mobile_short {
    my ($f) = @_;

    return { id => "$f->{id}", name => $f->{name}, udid => $f->{udid},
             serialNumber => "SM$f->{id}", wifiMacAddress => '',
             phoneNumber => undef,
             model => 'iPad', modelIdentifier => 'iPad13,1',
             username => $f->{username}, type => lc $f->{deviceType},
             managementId => $f->{managementId},
             softwareUpdateDeviceId => '' };
}

sub mobile_flat {
    my ($f) = @_;

    my $when = '2026-08-17T11:48:56.307Z';

    return { id => "$f->{id}", name => $f->{name}, managed => $f->{managed},
             udid => $f->{udid}, serialNumber => "SM$f->{id}",
             lastInventoryUpdateTimestamp =>
                 $f->{general}{lastInventoryUpdateDate} // $when,
             lastContactTimestamp => $f->{general}{lastContactDate} // $when,
             lastEnrollmentTimestamp => $when,
             mdmProfileExpirationTimestamp => '2028-01-01T00:00:00Z',
             deviceOwnershipLevel => $f->{deviceOwnershipType},
             location => { username => $f->{username}, realName => '',
                           emailAddress => $f->{email} },
             type => lc $f->{deviceType}, groups => [],
             managementId => $f->{managementId} };
}


1;
