// Package cognito signs users in through Amazon Cognito, and signs up those that the user pool does not know yet.
//
// One call of [Pool.SignIn] makes, in this order and only as far as needed:
//
//	AdminInitiateAuth    the password is right: done
//	SignUp               the pool refused, for whichever reason: it may lack the user
//	AdminConfirmSignUp   the sign-up is not confirmed, this call's or one that died before its confirmation
//	AdminInitiateAuth    always after one of the others
//
// A pool may hide whether a user exists (PreventUserExistenceErrors): then an unknown user is refused like a wrong password. That is
// why both lead to SignUp in every pool: the same calls and the same answers, so that they tell nothing but what signing up tells
// anyhow. A user that exists by then has a wrong password, or was signed up by another call at the same moment; only the second
// AdminInitiateAuth tells. The price: a wrong password is three calls, and two of the refusals after which Cognito locks a user for a
// while.
//
// Nothing has to be remembered between calls: a sign-up that died half-way is finished by the user's next sign-in, in any process.
//
// The process needs the IAM permissions cognito-idp:AdminInitiateAuth, cognito-idp:AdminConfirmSignUp and
// cognito-idp:DescribeUserPoolClient (for [Pool.Ready]) on the pool; SignUp is public. The app client must allow
// ALLOW_ADMIN_USER_PASSWORD_AUTH.
package cognito
