# Certificates bound to the objects of directories: how a request names them,
# and that nothing is issued for what is not there or not in order.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(encode_base64url);

use PKI::Test;
use PKI::CSR;
use PKI::Directory;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $dir = $t->{dir};
my $token = $t->token('Enrolment', 'enroll');
my ($true, $false) = (PKI::Sim::true, PKI::Sim::false);
my $tenant = '0A1B2C3D-1111-4222-8333-444455556666';
my $jwt_key = $t->key('jwt', 'rsa');

spew("$dir/jwks.json", jwks($jwt_key));

my $profiles = <<"END";
    pki_profile directory {
        bind directory; callers Enrolment; renew IntuneDevice IntuneUser;
        microsoft_extensions on tenant=$tenant;
    }
    pki_profile device { bind device; callers Enrolment; }
    pki_profile user { bind user; callers Enrolment; }
    pki_profile jamf { bind jamf; callers Enrolment; source Jamf; }
    pki_profile dc {
        bind dc; callers Enrolment; default_eku 1.3.6.1.5.2.3.5 clientAuth serverAuth;
    }
    pki_profile self { bind directory; }
    pki_profile none { bind static; }
    pki_jwt org {
        issuer https://sts.example/; audience api://pki; keys file $dir/jwks.json;
    }
END
my $tokens = "pki_api_tokens $dir/tokens;";
my $locations = join '', map {
    "location /$_/ { pki_api; $tokens pki_enroll $_; }\n"
} qw(directory device user jamf dc);

$locations .= <<"END";
        location /self/ { pki_api; $tokens pki_api_jwt org; pki_enroll self; }
        location /unbound/ {
            pki_api; $tokens pki_api_jwt org; pki_enroll none;
        }
        location /header/ {
            pki_est; pki_enroll directory;
            pki_client_certificate \$http_x_client_cert;
        }
END

my $d = PKI::Directory->new($t, entra => { text => 'compliance on;' },
                            intune => {}, jamf => {}, nginx => {
    issuer => '', http => $profiles, server => $locations,
});
my ($g, $j) = @{ $d->{sim} }{qw(graph jamf)};
my $n = $d->{nginx};
my $count = 0;

sub csr { return PKI::CSR->new($t, @_) }

sub enroll {
    my ($where, %o) = @_;

    my $with = delete $o{token} // $token;
    my $host = delete $o{nginx} // $n;
    my $r = $host->http('POST', "/$where/csr", body => csr(%o)->der,
                        headers => { Authorization => "Bearer $with" });

    $r->{json} = eval { JSON::PP::decode_json($r->{body}) };
    return $r;
}

sub issued {
    my ($r, $what, $name) = @_;

    is($r->{status}, 200, "$name: 200") or diag($r->{body}), return '';

    my $file = "$dir/issued-" . ++$count . '.pem';

    spew("$file.der", $r->{body});
    run_ok('openssl', 'x509', '-inform', 'DER', '-in', "$file.der", '-out',
           $file);
    like(run_ok($t->{admin}, 'serial', 'show', serial_of($file)), qr/\Q$what/i,
         "bound to $what");

    return $file;
}

sub refused {
    my ($r, $status, $like, $name) = @_;

    is($r->{status}, $status, $name) or diag($r->{body});
    like($r->{json}{errorMessage} // '', $like, 'says why');
    ok($r->{headers}{'retry-after'}, 'Retry-After') if $status == 503;
}

sub records { return $t->redis_cli('keys', 'pki:{demo}:cert:*') }


# who is there

my $laptop = $g->add('device');
my $managed = $g->add('managedDevice');
my $ann = $g->add('user', userPrincipalName => 'Ann.Example@corp.example');
my $bob = $g->add('user', userPrincipalName => 'bob@corp.example');

my $hers = $g->add('managedDevice', azureADDeviceId => $laptop->{deviceId},
                   userId => $ann->{id});

$j->add('computer', id => 4);
$j->add('mobileDevice', id => 5);
$j->add('jamfUser', id => 17, username => 'ann', email => 'ann@corp.example');
$d->round('intune', 'devices');
$d->round('entra', 'users');
$d->round('jamf', 'users') if eval { $d->resource('jamf', 'users') };

sub resolved {
    my ($directory, $name) = @_;

    ok(wait_until(10, sub {
        !($t->admin('resolve', '--redis', $t->redis_addr, '--directory',
                    $directory, '--name', $name))[0]
    }), "$name is known");
}

resolved('entra', 'ann.example@corp.example');
resolved('entra', 'bob@corp.example');
resolved('jamf', 'ann@corp.example');


# devices: the first CN, or a URI

my $id = $laptop->{deviceId};
my $cert = issued(enroll('directory', subject => [[CN => uc $id]]), $id,
                  'a device by its CN');

$d->becomes($cert, 'good', 'OCSP');

my $text = run_ok('openssl', 'x509', '-in', $cert, '-noout', '-text');

like($text, qr/1\.2\.840\.113556\.5\.14:/, 'the tenant is in it');
like($text, qr/1\.2\.840\.113556\.1\.5\.284\.2:/, 'the device is');
like($t->redis_cli('hget', 'pki:{demo}:bound', "device/$id"), qr/./,
     'it is found by its device');

issued(enroll('device', subject => [[CN => $managed->{id}]]), $managed->{id},
       'a device that Intune alone has');
issued(enroll('directory', subject => [[CN => 'x'], [OU => 'y']],
              san => [[uri => 'tag:x'], [uri => "IntuneDeviceID://$id"]]),
       $id, 'a device by its URI');
issued(enroll('directory', subject => [[CN => $id]],
              san => [[upn => "$id\@corp.example"]]), $id,
       'CN and UPN: the device');
refused(enroll('device', subject => [[CN => 'x']],
               san => [[upn => 'bob@corp.example']]), 400, qr/\w/,
        'no device');

my $nobody = '99999999-2222-4333-8444-555555555555';

refused(enroll('directory', subject => [[CN => $nobody]]), 400,
        qr/not known to any directory/, 'a device that there is not');
unlike(records(), qr/$nobody/, 'not recorded');


# users by their UPN

$cert = issued(enroll('directory', subject => [[CN => 'Ann']],
                      san => [[upn => 'ann.example@CORP.example']]),
               $ann->{id}, 'a user');
$d->becomes($cert, 'good', 'OCSP');
issued(enroll('user', subject => [[CN => $id]],
              san => [[upn => 'bob@corp.example']]), $bob->{id},
       'a user by the profile, whatever the CN');
refused(enroll('user', subject => [[CN => 'x']],
               san => [[upn => 'eve@corp.example']]), 400,
        qr/not known to any directory/, 'a user that there is not');
refused(enroll('user', subject => [[CN => 'x']]), 400, qr/\w/, 'no UPN');


# Jamf

issued(enroll('jamf', subject => [[CN => 4], [OU => 'computers'],
                                  [O => 'x'], [CN => $nobody]]),
       'jamf-computer/4', 'a computer');
issued(enroll('jamf', subject => [[CN => 5], [OU => 'devices']]),
       'jamf-device/5', 'a device');
$cert = issued(enroll('jamf', subject => [[CN => 4],
                                          [OU => 'users-on-computers']],
                      san => [[email => 'Ann@corp.example']]),
               'jamf-user/17', 'a user on a computer');
$d->becomes($cert, 'good', 'OCSP');
is(JSON::PP::decode_json($n->http('GET', '/api/manage/certificates/'
       . serial_of($cert), headers => {
       Authorization => "Bearer $d->{token}" })->{body})->{source}, 'Jamf',
   'on record');
refused(enroll('jamf', subject => [[CN => 4], [OU => 'users-on-computers']],
               san => [[email => 'eve@corp.example']]), 400,
        qr/not known to any directory/, 'an e-mail address of nobody');
refused(enroll('jamf', subject => [[CN => 77], [OU => 'computers']]), 400,
        qr/not known to any directory/, 'a computer that there is not');
refused(enroll('jamf', subject => [[CN => 'x'], [OU => 'computers']]), 400,
        qr/\w/, 'no number');

$cert = issued(enroll('dc', subject => [[CN => 'dc1.corp.example']],
                      san => [[dns => 'dc1.corp.example']]),
               'DomainController', 'a domain controller');
like(run_ok('openssl', 'x509', '-in', $cert, '-noout', '-ext',
            'extendedKeyUsage'), qr/Signing KDC Response/, 'its usage');


# what is not in order

$g->change('device', $laptop->{id}, accountEnabled => $false);
ok(wait_until(10, sub {
    enroll('directory', subject => [[CN => $id]])->{status} == 403
}), 'a disabled device');
refused(enroll('directory', subject => [[CN => $id]]), 403, qr/disabled/,
        'again');

my $old = issued(enroll('user', subject => [[CN => 'bob']],
                        san => [[upn => 'bob@corp.example']]), $bob->{id},
                 'bob, while he may');

sub renew {
    my ($file) = @_;

    my $r = $n->http('POST', '/header/simplereenroll', body => csr()->der,
                     headers => { 'X-Client-Cert' => slurp($file)
                                                     =~ s/\n/ /gr });

    $r->{json} = eval { JSON::PP::decode_json($r->{body}) };
    return $r;
}

is(renew($old)->{status}, 200, 'renewed');
$g->change('user', $bob->{id}, accountEnabled => $false);
$d->becomes($old, 'hold', 'a disabled user');
refused(enroll('user', subject => [[CN => 'bob']],
               san => [[upn => 'bob@corp.example']]), 403, qr/disabled/,
        'nothing for him');
refused(renew($old), 403, qr/disabled/, 'nothing is renewed');
$g->change('user', $bob->{id}, accountEnabled => $true);
$d->becomes($old, 'good', 'enabled');
is(renew($old)->{status}, 200, 'renewed again');

$j->delete('computer', 4);
ok(wait_until(10, sub {
    enroll('jamf', subject => [[CN => 4], [OU => 'computers']])->{status}
        =~ /^40[03]$/
}), 'a deleted computer');

$g->change('device', $laptop->{id}, accountEnabled => $true);
ok(wait_until(10, sub {
    enroll('directory', subject => [[CN => $id]])->{status} == 200
}), 'an enabled device');


# self-service: what a token of a person may have

sub jwks {
    my ($key) = @_;

    my ($hex) = run_ok('openssl', 'rsa', '-in', $key, '-noout', '-modulus')
                =~ /=([0-9A-F]+)/;

    return JSON::PP::encode_json({ keys => [{
        kty => 'RSA', use => 'sig', kid => 'one', e => 'AQAB',
        n => encode_base64url(pack 'H*', $hex),
    }] });
}

sub jwt {
    my (%claims) = @_;

    my $text = join '.', map { encode_base64url(JSON::PP::encode_json($_)) }
        { alg => 'RS256', kid => 'one', typ => 'JWT' },
        { iss => 'https://sts.example/', aud => 'api://pki',
          exp => int(time) + 600, nbf => int(time) - 10,
          roles => ['CSR.SelfService'], %claims };
    my $in = spew("$dir/jwt.txt", $text);
    my $out = "$dir/jwt.sig";

    run_ok('openssl', 'dgst', '-sha256', '-sign', $jwt_key, '-out', $out, $in);

    return "$text." . encode_base64url(slurp($out));
}

my %ann = (upn => 'ann.example@corp.example', oid => $ann->{id});
my $anns = jwt(%ann);
my @own = (subject => [[CN => 'Ann']],
           san => [[upn => 'Ann.Example@corp.example']]);
my @others = (subject => [[CN => 'Bob']], san => [[upn => 'bob@corp.example']]);

$cert = issued(enroll('self', token => $anns, @own), $ann->{id}, 'her own');
is(JSON::PP::decode_json($n->http('GET', '/api/manage/certificates/'
       . serial_of($cert), headers => {
       Authorization => "Bearer $d->{token}" })->{body})->{requester},
   'ann.example@corp.example', 'on record: who it was');
refused(enroll('self', token => $anns, @others), 403, qr/user/, "another's");
refused(enroll('self', token => $anns, @own, eku => ['1.3.6.1.5.5.7.3.1']),
        403, qr/\w/, 'for a server');
is(enroll('self', token => $anns, @own, eku => ['1.3.6.1.5.5.7.3.2'])
     ->{status}, 200, 'for a client');
refused(enroll('self', token => $anns, subject => [[CN => 'Ann']],
               san => [[upn => 'ann.example@corp.example'],
                       [email => 'bob@corp.example']]), 403, qr/name/,
        "her own and another's");
refused(enroll('self', token => $anns, @own, san => [
            [upn => 'ann.example@corp.example'], [dns => 'www.corp.example']]),
        403, qr/name/, 'the name of a host');
refused(enroll('self', token => jwt(%ann, upn => 'bob@corp.example'),
               @others), 403, qr/own/, "another's name, her own object");
refused(enroll('self', token => jwt(oid => $ann->{id}, appid => $nobody),
               @own), 403, qr/user/, 'a token without a user');
issued(enroll('self', token => jwt(upn => $ann{upn}), @own), $ann->{id},
       'a token without an object: the name counts');
refused(enroll('self', token => jwt(upn => $ann{upn}),
               subject => [[CN => $hers->{id}]]), 403, qr/own devices/,
        'but tells nothing of devices');
refused(enroll('self', token => $anns, san => $own[3],
               subject => [[CN => 'Ann'], [CN => $managed->{id}]]), 403,
        qr/name/, 'the id of a device that is not hers, beside her name');
refused(enroll('self', token => $anns, subject => [[CN => $hers->{id}]],
               san => [[uri => "IntuneDeviceId://$managed->{id}"]]), 403,
        qr/name/, 'or beside her device');
refused(enroll('unbound', token => $anns, @own), 403, qr/self-service/i,
        'nothing that is not bound');

issued(enroll('self', token => $anns, subject => [[CN => $hers->{id}]]),
       $hers->{id}, 'her device');
issued(enroll('self', token => $anns, subject => [[CN => $id]]), $id,
       'her device by the id that another directory has for it');
refused(enroll('self', token => jwt(upn => 'bob@corp.example',
                                    oid => $bob->{id}),
               subject => [[CN => $id]]), 403, qr/own devices/,
        "another's device");
refused(enroll('self', token => $anns, subject => [[CN => $managed->{id}]]),
        403, qr/own devices/, 'a device of somebody else');


# a device that no round has told of yet, and a directory that says nothing

my $slow = PKI::Directory->new($t, entra => {
    name => 'slow', text => 'interval 1h; lookup_timeout 2s;',
}, nginx => { issuer => '', http => $profiles, server => $locations,
              workers => 1 });

ok(wait_until(10, sub {
    ($slow->resource('slow', 'devices') || {})->{rounds}
}), 'one round');

my $fresh = $slow->{sim}{graph}->add('device');

issued(enroll('device', nginx => $slow->{nginx},
              subject => [[CN => $fresh->{deviceId}]]), $fresh->{deviceId},
       'a new device, looked up');
refused(enroll('device', nginx => $slow->{nginx},
               subject => [[CN => $nobody]]), 400,
        qr/not known to any directory/, 'none, looked up');

my $hr = PKI::Directory->new($t, push => { name => 'hr' }, nginx => {
    issuer => '', http => $profiles, server => $locations,
});

refused(enroll('device', nginx => $hr->{nginx}, subject => [[CN => $nobody]]),
        503, qr/not known now/, 'a directory that was told nothing');
refused(enroll('user', nginx => $hr->{nginx}, @own), 503, qr/not known yet/,
        'the same of a user');
is($hr->{nginx}->http('PUT', "/api/directory/hr/objects/device/$id",
                      body => '{"enabled":true}',
                      headers => { Authorization => "Bearer $hr->{token}" })
     ->{status}, 200, 'it is told of one');
issued(enroll('device', nginx => $hr->{nginx}, subject => [[CN => $id]]), $id,
       'for which a certificate is issued');
refused(enroll('device', nginx => $hr->{nginx}, subject => [[CN => $nobody]]),
        400, qr/not known to any directory/, 'and none for another');

my $bare = $t->nginx(http => $profiles, server => $locations);

ok($bare->ready, 'ready');
refused(enroll('device', nginx => $bare, subject => [[CN => $id]]), 400,
        qr/not known to any directory/, 'without any directory');
refused(enroll('user', nginx => $bare, @own), 400,
        qr/not known to any directory/, 'nor for a user');
is(enroll('dc', nginx => $bare, subject => [[CN => 'dc2']])->{status}, 200,
   'what is bound to nothing needs none');

$t->done;
