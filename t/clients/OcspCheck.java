import java.io.FileInputStream;
import java.net.URI;
import java.security.cert.*;
import java.util.*;

/*
 * Java's PKIX validation with revocation by OCSP only.  Arguments: the CA's
 * certificate, the responder's URL, certificates.  Prints a line for each:
 * "good", or "revoked" and the reason, or what else went wrong.
 */

public class OcspCheck {

    public static void main(String[] args) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate ca = load(factory, args[0]);

        for (int i = 2; i < args.length; i++) {
            System.out.println(check(factory, ca, new URI(args[1]),
                                     load(factory, args[i])));
        }
    }

    private static X509Certificate load(CertificateFactory factory,
        String file) throws Exception
    {
        try (FileInputStream in = new FileInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(in);
        }
    }

    private static String check(CertificateFactory factory,
        X509Certificate ca, URI url, X509Certificate cert) throws Exception
    {
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker =
            (PKIXRevocationChecker) validator.getRevocationChecker();
        PKIXParameters params =
            new PKIXParameters(Set.of(new TrustAnchor(ca, null)));

        checker.setOcspResponder(url);
        checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK,
            PKIXRevocationChecker.Option.ONLY_END_ENTITY));
        params.addCertPathChecker(checker);

        try {
            validator.validate(factory.generateCertPath(List.of(cert)),
                               params);
            return "good";

        } catch (CertPathValidatorException e) {
            if (e.getCause() instanceof CertificateRevokedException) {
                return "revoked " + ((CertificateRevokedException)
                    e.getCause()).getRevocationReason();
            }

            return e.getReason() + " " + e.getMessage();
        }
    }
}
