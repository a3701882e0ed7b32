#!/usr/bin/env python3
"""Sign in to Cognito and ask for an ad: ad_client.py [COUNTRY LANG]

Environment: BASE_URL, COGNITO_ENDPOINT, CLIENT_ID, DEMO_USERNAME, DEMO_PASSWORD (`make run` writes them to .run/env). For
a pool on AWS the endpoint is https://cognito-idp.REGION.amazonaws.com, and the app client must allow USER_PASSWORD_AUTH.
"""
import json, os, sys, urllib.error, urllib.parse, urllib.request

env = os.environ
sign_in = urllib.request.Request(
    env["COGNITO_ENDPOINT"],
    headers={
        "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
        "Content-Type": "application/x-amz-json-1.1",
    },
    data=json.dumps({
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": env["CLIENT_ID"],
        "AuthParameters": {"USERNAME": env["DEMO_USERNAME"], "PASSWORD": env["DEMO_PASSWORD"]},
    }).encode(),
)
token = json.load(urllib.request.urlopen(sign_in))["AuthenticationResult"]["AccessToken"]

country, lang = sys.argv[1:] or ("us", "eng")
query = urllib.parse.urlencode({"country": country, "lang": lang})
request = urllib.request.Request(env["BASE_URL"] + "/ad_request?" + query, headers={"Authorization": token})
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:  # 404 no_ad_available among them: show no ad and play on
    answer = error
print(answer.status, answer.read().decode())
