-- One row per lower-leg case of a NEISS extract (injuries seen in US emergency rooms, public): narrative words become symptom answers
-- requires: Treatment_Date, Age, Sex, Narrative, Body_Part
-- optional: CPSC_Case_Number, Diagnosis
-- ignores: unnamed_1, Alcohol, Drug, Incident Locale, Location, Disposition, Fire_Involvement, Race, Other_Race, Hispanic, Other_Diagnosis, Body_Part_2, Diagnosis_2, Other_Diagnosis_2, Product_1, Product_2, Product_3, Stratum, PSU, Weight
-- dates: Treatment_Date
-- ids: CPSC_Case_Number
--
-- `reading` is the data and the statement behind it is general: copy both for narratives of your own (docs/input.md). A line is
-- `result <= pattern`, whole words, ~ for a pattern taken as it stands; the lines rewrite the upper-case text in their order.
--   @calf @leg @legs @limb @else  the leg in question, a leg, both legs, thigh to foot, any other part of the body
--   #sign, #at_sign               a sign; #at_ ones have a place and count only where their clause names the leg, or no place
--   !no !deny, a full stop        what denies the signs behind it, and what ends a denial (a patient who CANNOT starts a new one)
-- Yes wins over no; a denial reaches the next sign, a chain by OR and /, a list closed by OR, and a bare list of three or after
-- DENIES. Whatever is not surely denied is yes, whatever is not mentioned is unknown. A diagnosis is no sign.
WITH reading AS (SELECT [
  -- abbreviations, and words that would be read wrongly
  ' WITHOUT  <= W/ ?O|W O|WO', ' WITH  <= ~\bW/|\bW\b', ' COMPLAINS OF  <= C/O', ' HX OF  <= H/O', ' AFTER  <= S/P',
  ' FEVER OR CHILLS  <= F/C', ' NUMBNESS OR TINGLING  <= N/T', ' NAUSEA  <= N/V(?:/D)?', ' SOB  <= S\.O\.B',
  ' FEVER  <= ~\b(?:TEMP\w*|TMAX|T)\b[ :=]*(?:OF |TO |WAS )?(?:10[1-6]\b|100\.[4-9]|3[89]\.\d|40\.\d)',
  'DENIES \1 <= ~\bDENIES([A-Z])', 'NO \1 <= ~\bNO(FEVER|SWELLING|REDNESS|WARMTH|SOB|NUMBNESS|LOC)\b',
  ' NO  <= ~[(\[] ?- ?[)\]]', ' .  <= ~[(\[] ?\+ ?[)\]]|--+|-*>+| - | /', '\1 MINUS \2 <= ~(^|[ .,;:/()])-([A-Z])', '  <= ~-',
  ' .  <= ~DX\b|(?:^|[^A-Z])DX|[.;:!?=<+]+|\b(?:BUT|HOWEVER|ALTHOUGH|THOUGH|EXCEPT|YET)\b', ' ,  <= ~[,()\[\]{}|]',
  ' AND  <= ~&', ' /  <= ~/', ' ONE  <= \d+ ?(?:FOOT|FEET|FT)|(?:HAY|SCARLET|YELLOW) FEVER|FROST ?BITE|PEDAL EDEMA|(?:BY|PER) (?:MOM|DAD|BROTHER|SISTER|FRIEND)',
  ' POSTERIOR  <= BACK OF', '\1 <= (WENT|GO|GOING|CAME|COME|FELL|RAN|GOT|GET|FIRED|BLEW|TURNED|JUMPED|BROUGHT) BACK',
  ' RETURN  <= ~\b(?:(?:RETURN|RTC|CALL|COME|FOLLOW UP)(?: [A-Z]+){0,4} IF|(?:WATCH|MONITOR|PRECAUTIONS|INSTRUCTED)(?: [A-Z]+){0,2} FOR)\b[^.]*',
  -- parts of the body
  ' @calf  <= (?:BELOW|ABOVE) (?:THE |R |L |RT |LT |RIGHT |LEFT )*(?:KNEE|ANKLE)|KNEE (?:DOWN )?TO (?:THE )?ANKLE', ' THIGH  <= (?:UPPER|U) LEGS?',
  ' @calf  <= ~\b(?:CALF|CALFS|CALVES|SHINS?|TIBIAS?|TIBIAL|PRETIBIAL|TIB|FIB|FIBULAS?|GASTROC\w*|ACHILLES?|RLE|LLE|(?:HER|HIS|THE)LEG)\b|LOW(?:ER)? ?LEGS?(?:[DX]?\b|\B)',
  ' @legs  <= LEGS|LOW(?:ER)? ?EXTREMITIES|LES|BLE', ' @leg  <= LEG|LOW(?:ER)? ?EXTREMITY|LE',
  ' #other  <= (?:CHEST|BACK|ABD|ABDOMINAL|STOMACH|NECK|HEAD|HIP|ARM) (?:PAIN|PN|PX|INJ|INJURY)',
  ' @else  <= HEAD|SCALP|FOREHEAD|FACE|FACIAL|CHEEKS?|JAW|CHIN|NOSE|NASAL|LIPS?|MOUTH|TOOTH|TEETH|TONGUE|EYE\w*|CORNEAS?|CORNEAL|TYMPANIC|EARS?|THROAT|NECK|SHOULDERS?|CLAVICLE|ARMS?|FOREARMS?|UPPER EXT\w*|ELBOWS?|WRISTS?|HANDS?|PALMS?|FINGER\w*|THUMBS?|DIGITS?|CHEST|RIBS?|BREASTS?|BACK|SPINE|LUMBAR|ABD\w*|STOMACH|FLANK|TRUNK|TORSO|PELVI[SC]|HIPS?|BUTTOCKS?|GROIN|GENITAL\w*|SCROT\w+|PENIS',
  ' @limb  <= THIGHS?|HAMSTRINGS?|QUADS?|FEMUR|KNEES?|PATELLA\w*|ANKLES?|FOOT|FEET|HEELS?|TOES?|TOENAILS?',
  ' @calf  <= (?:R|L|RT|LT|RIGHT|LEFT) @leg', ' @ <= ~\b(?:R|L|RT|LT|RIGHT|LEFT|BILAT\w*|BOTH|HIS|HER|THE|PTS) +@', ' AND \1 , <= ~ , ((?:AND )?@\w+) +,', ' AND \1 \2 <= ~ , ((?:AND )?@\w+) +([.,]|AND|/)',
  ' %care  <= REST|RESTED|RESTING|ICE|ICED|ICING|ELEVAT\w+|RICE|HEAT|MASSAGE|STRETCHING|TYLENOL|MOTRIN|ADVIL|IBUPROFEN|ALEVE|NAPROXEN|NSAIDS?|OTC|MEDS|MEDICATIONS?',
  -- standing and walking
  ' UNABLE TO  <= (?:NOT|NEVER|(?:IS|WAS|HAS|HAD|DOES|DID|COULD)NT)(?: BEEN| BEING| REALLY| QUITE| EVEN| FULLY)* ABLE TO|UN ABLE TO|NO LONGER ABLE TO',
  ' ONCE  <= (?:UNABLE|CANNOT|CANT)(?: TO)? (?:WALK|AMBULATE) WITHOUT (?:A )?(?:LIMP\w*|PAIN|PN)|(?:WAS|WERE|INITIALLY|PREVIOUSLY|BARELY|HARDLY|SCARCELY|NEARLY|ALMOST|USUALLY|IF) ABLE TO|ABLE TO(?: [A-Z]+){1,4} (?:INITIALLY|AT FIRST|BEFORE|ONLY|STEPS|WITH (?:ASSIST\w*|HELP|CRUTCHES|WALKER|CANE|DIFFICULTY|LIMP))|WAS (?:WALKING|STANDING)|STAND (?:THE )?(?:PAIN|PN|IT)',
  ' . #no_weight  <= ~(?:UNABLE|\b(?:UNWILLING|CAN ?NOT|CANT|COULD ?NOT|COULDNT|REFUS\w+|WONT|WILL NOT|WOULD NOT|WOULDNT|NOT WANTING|DOESNT WANT|DOES NOT WANT|HASNT|HAS NOT))(?: ?TO)?(?: EVEN| FULLY)? +(?:(?:BEAR|PUT|PLACE|HOLD|TOLERATE)(?:ING)?(?: ANY| FULL| MUCH| @)* (?:WT|WEIGHT|WB|PRESSURE)|(?:WT|WEIGHT) ?BEAR\w*|WB\b|WALK\w*|AMBULAT\w*|AMB\b|STAND\w*|GET UP)',
  ' #no_weight  <= INABILITY TO (?:BEAR (?:WT|WEIGHT)|WALK|AMBULATE|STAND)', ' . #no_weight  <= (?:NON? ?(?:WT|WEIGHT) ?BEARING|NWB|NON ?AMBULATORY|NOT (?:AMBULAT\w+|WALKING|(?:WT|WEIGHT) ?BEARING|BEARING(?: ANY)? (?:WT|WEIGHT))|STOPPED WALKING)', ' . #no_weight \1 <= ~\bNOW (?:UNABLE|CANNOT|CANT)(?: TO)?( +[.,])',
  ' !no #no_weight  <= ABLE TO (?:STILL |FULLY )?(?:(?:BEAR|PUT|PLACE)(?: ANY| FULL| SOME)* (?:WT|WEIGHT)|(?:WT|WEIGHT) BEAR|WALK|AMBULATE|AMB|STAND)|NO (?:DIFF\w*|TROUBLE|PROBLEMS?) (?:WITH )?(?:WALKING|AMBULATI\w+|STANDING|BEARING (?:WT|WEIGHT)|(?:WT|WEIGHT) ?BEARING)|AMBULATORY (?:TO|INTO|IN|ON ARRIVAL)|(?:WALK\w*|AMBULAT\w*)(?: INTO ED| IN ED| TO ED| WELL)? WITHOUT (?:ANY )?(?:DIFF\w*|PROBLEMS?|TROUBLE|ASSIST\w*)',
  -- the whole patient, and how it began and went on
  ' . #short_breath  <= (?:UNABLE TO|CANT|CANNOT|COULDNT) (?:BREATHE|CATCH (?:HIS |HER )?BREATH)',
  ' #short_breath  <= SHORT(?:NESS)? OF ?BREATHE?|SOB|DYSPN\w+|(?:DIFF\w*|TROUBLE|PROBLEMS?) (?:WITH )?(?:BREATHING|BREATHE)|LABORED BREATHING|RESP\w* DISTRESS',
  ' !no #fever  <= AFEBRILE|NONFEBRILE', ' #fever  <= [A-Z]*FEVER\w*|FEBRILE|PYREXIA', ' !no #dehydration  <= WELL HYDRATED', ' #dehydration  <= DEHYDRAT\w*',
  ' #at_pop  <= (?:FELT|FEELS?|FEELING|HEARD AND FELT)(?: (?:OR|AND) HEARD)?(?: LIKE)?(?: A| AN| SOMETHING| IT| SUDDEN| LOUD| @\w+)* +(?:POP\w*|SNAP\w*|TEAR|TEARING|TORE|RIP|RIPPING)|POP (?:HEARD|FELT)|(?:POPPING|TEARING|SNAPPING) (?:SENSATION|FEELING)|HEARD(?: A| AN| AUDIBLE| LOUD| SUDDEN)* (?:POP|SNAP)(?: (?:IN|TO|FROM) +@(?:calf|legs?))|AUDIBLE POP',
  '\1 #at_pop  <= ~(@(?:calf|legs?) +)(?:POPPED|SNAPPED)\b', ' #overuse  <= OVER ?(?:US(?:E|ED|ING)|EXERT\w*|TRAIN\w*|DID|DOING)',
  ' . #worse  <= (?:WORSE\w*|INCREAS\w+)(?: [A-Z]+){0,3} DESPITE(?: [A-Z]+){0,3} +%care',
  ' . #not_better  <= (?:NOT (?:IMPROV\w+|BETTER|GETTING BETTER|RELIEVED)|NO (?:IMPROVEMENT|RELIEF|BETTER|HELP)|WITHOUT (?:ANY )?(?:RELIEF|IMPROVEMENT)|UNRELIEVED)(?: [A-Z]+){0,2} (?:WITH|BY|FROM|AFTER|DESPITE)(?: [A-Z]+){0,3} +%care', ' . #not_better  <= ~%care(?: +[A-Z]+| +@\w+){0,3} +(?:(?:WITH )?NO|WITHOUT(?: ANY| MUCH)?|NOT|DIDNT|DID NOT|DOESNT) (?:RELIEF|IMPROVEMENT|HELP\w*)',
  ' #after_sitting \1 <= (?:PAIN\w*|PN|ACH\w+|SORE\w*|HURT\w*)((?: +[A-Z0-9]+| +@\w+){0,6}) (?:AFTER|FROM|WITH|SINCE|FOLLOWING)(?: A| AN| PROLONGED| LONG)* (?:SITTING|FLIGHT|PLANE RIDE|CAR RIDE|CAR TRIP|DRIVE|ROAD TRIP)|ACHES AFTER SITTING',
  ' GOING  <= WALKING (?:INTO|THROUGH|PAST|OUT|OVER|ACROSS|DOWN|TO|IN|BY|HOME|@\w+)', ' #after_exertion  <= (?:PAIN\w*|PN|ACH\w+|SORE\w*|HURT\w*)(?: +[A-Z]+| +@\w+){0,3} (?:AFTER|SINCE|FOLLOWING)(?: A| SHORT| LONG| MILD| LIGHT)* (?:WALK|WALKS|WALKING|EXERTION|CLIMBING STAIRS)',
  -- what is seen and felt on the leg
  ' #at_veins  <= VARICOS\w+(?: VEINS?)?|(?:ENLARGED|BULGING|TWISTED|DISTENDED|SWOLLEN) VEINS?|VEINS? (?:ARE )?(?:ENLARGED|BULGING|TWISTED)',
  -- nobody denies an adjective: DENIES FEVER, LEG SWOLLEN
  ' . \1 SWOLLEN <= ~ , (@(?:calf|legs?)) SWOLLEN\b', '\1 . \2 <= ~\b((?:DENIES|DENIED|DENY|DENYING)(?: [A-Z]+| #\w+| ,)*) , ((?:@(?:calf|legs?) )?(?:(?:SWOLLEN|WARM|TENDER|NUMB|PALE)\b|RED (?:AND|,|\.)))',
  '\1 \2\3 <= ~\b((?:(?:DENIES|DENIED|DENY|DENYING|NO|WITHOUT)(?: [A-Z]+| #\w+| ,)+ OR|(?:DENIES|DENIED|DENY|DENYING|NO(?: [A-Z]+| #\w+){1,3} ,)(?: [A-Z]+| #\w+| ,)+ (?:,|AND))) (?:@calf (SWELLING|O?EDEMA)|@(?:calf|legs?) (REDNESS|WARMTH|TENDERNESS|ERYTHEMA|NUMBNESS|CRAMPS?|CRAMPING|PAIN|PN))\b',
  ' #at_swelling  <= ~[A-Z]*(?:SWELLI|SWELLE|SWELIN|SWOLLEN|SWOLEN)[A-Z]*|\bSWELLS?\b|\bO?EDEMA\w*', ' !no #at_tender  <= NON ?TENDER\w*|NTTP',
  ' #at_tender  <= TENDER(?:NESS)?(?: TO (?:TOUCH|PALP\w*))?|TTP|(?:PAIN\w*|SORE) (?:ON|WITH|TO|UPON) (?:PALP\w*|TOUCH)', ' #at_red_streak  <= RED(?:DISH|NESS)? (?:AND )?STREAK\w*',
  ' FLYING  <= STREAK\w+ (?:ACROSS|THROUGH|TOWARDS?|PAST|AT|INTO|OF)', ' #at_streak  <= STREAKS|STREAKING',
  ' HEATED  <= WARM (?:WATER|BATH|COMPRESS\w*|SOAKS?|PACKS?|AND (?:WELL PERFUSED|DRY|PINK)|, DRY)|(?:TO|KEEP|KEPT) WARM', ' #at_warmth  <= [A-Z]*WARMTH|(?:(?:WARM|HOT)(?:ER)? TO (?:THE )?TOUCH|WARM)', ' #at_redness #at_warmth  <= RED(?: AND| ,)? HOT',
  ' #at_redness  <= ~\b(?:AND|WITH)?REDNESS\w*|\bREDDEN\w*|\bREDDISH|[A-Z]*ERYTHE?M\w*|\bDISCOLOU?R\w*', ' #at_redness \1 <= ~\bRED ((?:AND |, |/ |, AND )?(?: *#at_|, ?HOT|HOT|PAINFUL|SORE|INFLAMED|AREAS?|SPOTS?|PATCH\w*|MARKS?|RASH|SKIN|BUMPS?|LINES?|@))',
  '\1 #at_redness  <= ~((?:#at_\w+(?: +AND| ,| /)?|\b(?:IS|WAS|NOW|LOOKS|APPEARS|BECAME|TURNED|VERY|NOT)|@(?:calf|legs?)) +)RED\b', '\1 #at_warmth  <= ~((?:#at_\w+(?: +AND| ,| /)?|@(?:calf|legs?)(?: IS| WAS| FEELS)+) +)HOT\b',
  ' #at_lump  <= LUMPS?|NODULES?|PALPABLE MASS|(?:KNOTS?|BUMPS?|MASS) (?:IN|ON|TO|OF)|MASS @calf', ' #at_cool  <= (?:COOL|COLD)(?:ER)? TO (?:THE )?TOUCH|COOLNESS', ' #at_pale  <= PALLOR',
  '\1 #at_cool  <= ~((?:@(?:calf|legs?)(?: IS| WAS| FEELS| NOT)*|#at_pale(?: AND| OR| ,)?|PALE AND) +)(?:COOL|COLD)(?:ER)?\b', '\1 #at_pale  <= ~((?:@(?:calf|legs?)|#at_cool)(?: +IS| +WAS| +LOOKS| +AND| +OR| +,)* +)PALER?\b', '\1 #at_cool  <= ~(#at_pale(?: +AND| +OR| +,)? +)(?:COOL|COLD)(?:ER)?\b',
  ' !no #at_numb  <= NO (?:SENSATION|SENSORY) (?:LOSS|CHANGES?)|SENSATION(?: IS| WAS| GROSSLY)* (?:INTACT|NORMAL|PRESENT)|(?:INTACT|NORMAL) SENSATION', ' . #at_numb  <= (?:CANT|CANNOT|UNABLE TO|COULDNT|COULD NOT) FEEL',
  ' #at_numb  <= [A-Z]*NUMBNESS|NUMB|INSENSATE|SENSATION LOSS|SENSORY LOSS|(?:LOSS|LACK|LOST|DECREASED?|DIMINISHED|REDUCED|ABSENT|NO|WITHOUT)(?: OF| ALL)* (?:SENSATION|FEELING)', '\1 #at_cool  <= ~(#at_numb(?: AND| ,)? )(?:COOL|COLD)(?:ER)?\b', ' #at_cool \1 <= ~\b(?:COOL|COLD)(?:ER)? ((?:AND|,) #at_numb)', ' #at_cramp  <= [A-Z]*CRAMP\w*|SPASM\w*|CHARL(?:EY|IE)S? HORSE\w*',
  -- wounds and blows
  ' #at_cut  <= BITES?|BITTEN|BIT (?:HIM|HER|PT|PATIENT|ON)|(?:DOG|CAT|SNAKE|SPIDER|HORSE) BIT|[A-Z]*PUNCTUR[A-Z]*|PWS?|IMPALED|PENETRATING|STAB|STABBED|GSW|GUN ?SHOT WOUNDS?|DEGLOV\w*|AMPUTAT\w*|SKIN TEARS?|(?:DEFICIT|DEFECT|LOSS) (?:IN|OF) (?:SOFT )?TISSUES?',
  ' FX  <= AVULSION (?:FX|FXS|FRACTURES?)', ' #at_cut  <= ~[A-Z]*(?:AVULS|AVLUS)[A-Z]*|\bOPEN(?: @\w+| /| AND| DISPLACED| COMMINUTED| PROXIMAL| DISTAL)* +(?:FX|FXS|FRACTURES?)\b|\bCOMPOUND (?:FX|FRACTURE)\b',
  ' #at_lac  <= ~[A-Z]*(?:LACERAT|LACERTI|LACRAT)[A-Z]*|\bLACS?(?:\b|LOW)|\bGASH\w*|\bSLICED\b|\b(?:A|SMALL|DEEP|LARGE|MULT\w*|SUPERFICIAL|OF) CUTS?\b|\bCUTTING (?:@|HIS|HER|SELF|THE PATIENTS)\b', ' #at_lac \1 <= ~\bCUTS? (TO|ON|INTO|HIS|HER|OWN|SELF|OPEN|BY|@)', '\1 #at_lac  <= ~(@\w+ +)CUT\b',
  ' !no #at_wound  <= SKIN (?:IS )?INTACT', ' #at_wound  <= OPEN WOUNDS?|SKIN BREAKS?|BREAKS? IN (?:THE )?SKIN', ' !no #at_trauma  <= ATRAUMATIC|NON ?TRAUMATIC', ' #at_knock  <= ~\bBLUNT TRAUMA\b|\b(?:SMASHED|CRUSHED|SHOOTING (?:PT|PATIENT|HIM|HER))\b|\bGOT SHOT (?:BY|IN|WITH)\b|[A-Z]*(?:BRUIS|ECCHYM|CONTUS|HEMATOM)[A-Z]*|\bCONTS?\b', ' #at_trauma  <= TRAUMA', ' #injury  <= INJURY|INJURIES|INJ',
  ' BURNED  <= SPARKS? (?:\w+ )?(?:HIT|HITTING|STRUCK)|(?:HIT|STRUCK)(?: [A-Z]+){0,3} WITH SPARKS?',
  ' #at_knock \1 <= ~\b(?:HIT|HITS|HITTING|STRUCK|STRIKING|KICKED|BUMPED|BANGED|SLAMMED) +(HIM\w*|HER\w*|HIS|SELF|PTS?|PATIENT|THE (?:PT|PATIENT)|BY|IN|INTO +@\w+|ON|TO|WITH|AGAINST|(?:POSTERIOR |ANTERIOR )?@\w+)\b', ' #at_knock \1 <= ~[A-Z]*SHOT (HIM\w*|HER\w*|SELF|PT|PATIENT|INTO +@\w+)\b',
  ' #at_knock \1 <= ~\b(?:FELL|LANDED|DROPPED|ROLLED|RAN|RUN|CRASHED)(?: [A-Z]+){0,3} (?:ON|ONTO|OVER|INTO) +(@(?:calf|legs?))', '\1 #at_knock  <= ~(@(?:calf|legs?) +(?:WAS |GOT )?)(?:RAN|RUN) OVER\b',
  -- WRIST SWELLING AND SHIN PAIN
  '\1 @else  <= ~(^ ?\d+ ?Y\w*(?: [MF])?|\b(?:WITH|HAS|HAD|OF)) @else #at_(?:swelling|redness|warmth|tender|numb|pale|cool)\b', '\1 @limb #limb_\2 <= ~(^ ?\d+ ?Y\w*(?: [MF])?|\b(?:WITH|HAS|HAD|OF)) @limb #at_(swelling|numb)\b',
  -- other words in lists of denials; someone else, another time; denial cues
  ' #other  <= LOC|LOSS OF CONSCIOUSNESS|CHILLS|PAIN|PN|CP|NAUSEA|VOMITING|HA|HEADACHE|DIZZINESS|SYNCOPE|WEAKNESS|TINGLING|DEFORMITY|DRAINAGE|PUS|BLEEDING|FX|FRACTURE|FB|FOREIGN BODY|RASH|CLOTS?|DVT|COUGH|INFECTION|BURNS?|ABRASIONS?|@else #other',
  ' .  <= ~(?: ,)?(?: AND)? \.(?: \.)*', '!no #\2 <= ~\b(DENIES|DENIED|DENYING|NOT|NO|NEVER)(?: BEING| FEELING| ANY)* +\. #(no_weight|worse|not_better|short_breath|at_numb)\b', ' IF #\1 <= ~\b(?:IF|WHETHER)(?: [A-Z]+| @\w+){0,3} +\. #(\w+)', '  <= ~\bIF(?: [A-Z]+| @\w+){0,3} +#[^.]*', ' #at_leg_swelling  <= ~@leg +#at_swelling|#at_swelling +(?:TO|OF|IN) +@legs',
  '  <= ~\b(?:MOM|MOTHER|DAD|FATHER|PARENTS?|BROTHER|SISTER|SIBLINGS?|SON|DAUGHTER|WIFE|HUSBAND|FRIENDS?|COUSIN|SOMEONE)(?: ELSE)?(?: ALSO)? (?:HAS|HAD|HAVE|WAS|GOT) +#\w+', '  <= ~#\w+(?: HAS| HAVE)? +RESOLVED\b', '  <= ~\b(?:NO|NOT|WITHOUT|DENIES|DENIED) (?:HX|HISTORY|PRIOR|PREVIOUS|PAST|OTHER|FURTHER|NEW|MORE|INCREASED?|WORSENING|SEVERE|MAJOR|LONGER)(?: [A-Z]+| @\w+){0,2} +#\w+(?: +(?:OR|/|AND) +#\w+)*',
  '!no \1 \2 <= ~(#\w+) +\. (?:NONE|NO|DENIES|DENIED|NEGATIVE) ([.,])', '!no \1  <= ~(#\w+)(?: +IS| +WAS| +ARE)? +(?:DENIED|ABSENT|NEGATIVE|NOT (?:PRESENT|NOTED|SEEN|APPRECIATED))\b',
  '!deny # <= ~\b(?:DENIES|DENIED|DENY|DENYING|NEG FOR|NEGATIVE FOR)(?: HAVING| BEING| ANY| SIGNS?| SX| SYMPTOMS?| OF| FEELING| SUBJECTIVE| @(?:calf|legs?))* +#', '\1 . <= ~(!\w+ #(?:injury|at_trauma)(?: +(?:OR|/) +#(?:injury|at_trauma))*) +,', '!no # <= ~\b(?:NO|NOT|NON|NEG|NEGATIVE|WITHOUT|FREE OF|NEITHER|(?:DOES|DID)(?: NOT|NT) HAVE)(?: ANY| SIGNS?| SX| SYMPTOMS?| OF| FOR| COMPLAINS| EVIDENCE| OBVIOUS| ACUTE| SIGNIFICANT| VISIBLE| SURROUNDING| ASSOCIATED| KNOWN| POINT| PALPABLE| @(?:calf|legs?))* +#', '\1 \2 <= ~(!no #\w+(?: +(?:OR|NOR|/) +#\w+)*)(?: +AND +#\w+)+ +([.,])', '  <= ~!\w+ @(?:limb|else) +#\w+|\b(?:NO|NOT|WITHOUT|DENIES) +@(?:limb|else) +#\w+'
  ] AS rules),
cases AS (
  SELECT line_number, trim(Treatment_Date) AS treated, trim(Age) AS age_given, Sex AS sex_given, lower(trim(Sex)) AS sex_word,
    try_cast(regexp_extract(trim(Age), '^(\d{1,3})(\.0+)?$', 1) AS INTEGER) AS age_code, coalesce(lower(trim(Diagnosis)), '') AS diagnosis,
    CASE WHEN (SELECT count(CPSC_Case_Number) FROM raw) > 0 THEN trim(CPSC_Case_Number) ELSE substr(file_id, 1, 12) || '-' || line_number END AS report_id,
    ' ' || regexp_replace(regexp_replace(coalesce(upper(Narrative), ''), '[''’`"]', '', 'g'), '[#%~@*!^|\\]', ' ', 'g') || ' . ' AS words
  FROM raw WHERE lower(trim(Body_Part)) IN ('lower leg', 'leg, lower', '36')
),
-- every line of the reading in turn, one space between words
rewritten AS (SELECT * REPLACE (list_reduce(list_prepend(words, rules), lambda text, rule: regexp_replace(regexp_replace(text,
    CASE WHEN rule.split_part(' <= ', 2)[1] = '~' THEN rule.split_part(' <= ', 2)[2:] ELSE '\b(?:' || rule.split_part(' <= ', 2) || ')\b' END,
    rule.split_part(' <= ', 1), 'g'), '\s+', ' ', 'g')) AS words) FROM cases, reading),
-- a clause that names another part of the body, and not the leg, has no sign of the leg
placed AS (SELECT * REPLACE (array_to_string(list_transform(string_split(words
    .regexp_replace('([.,]|\b(?:AND|WHILE|WHEN) (?:PT|PATIENT|HE|SHE)\b)', '^\1', 'g').regexp_replace('(@\w+) (AND|/) ((?:@\w+ )?#)', '\1 ^\2 \3', 'g')
    .regexp_replace('\b(WITH|HAS|NOTED) ((?:[A-Z]+ ){0,2}#\w+ (?:TO|OF|IN|ON) @(?:else|limb))|(!\w+ (?:@(?:else|limb) )?#\w+ (?:TO|OF|IN|ON) @(?:else|limb))', '^\1 \2\3', 'g'), '^'),
    lambda clause: CASE
      WHEN regexp_matches(clause, '@(?:calf|leg)') THEN clause
      WHEN clause LIKE '%@limb%' THEN clause.regexp_replace('#at_(swelling|numb)', '#limb_\1', 'g').regexp_replace('#at_\w+', '#other', 'g')
      WHEN clause LIKE '%@else%' THEN clause.regexp_replace('#at_\w+', '#other', 'g')
      ELSE clause END), '') AS words) FROM rewritten),
denials AS (SELECT *, regexp_extract_all(words, '!deny #\w+(?:(?: (?:, AND|, OR|AND|OR|,|/))? #\w+)* [.]|!\w+ #\w+(?:(?: ,)? #\w+)+(?: ,)? (?:OR|NOR) #\w+'
    || '|!\w+ #\w+(?: , #\w+){2,} [.]|!\w+ #\w+(?: (?:, )?(?:OR|NOR|/) #\w+)*|MINUS #\w+(?: (?:, )?MINUS #\w+| / #\w+)* [.,]') AS denial FROM placed),
said AS (SELECT *, regexp_extract_all(array_to_string(denial, ' '), '#(\w+)', 1) AS denied,
    regexp_extract_all(list_reduce(list_prepend(words, denial), lambda text, part: replace(text, part, ' ')), '#(\w+)', 1) AS told FROM denials)
SELECT
  line_number, report_id,
  CASE
    WHEN regexp_full_match(treated, '\d{1,2}/\d{1,2}/\d{2}') THEN coalesce(strftime(try_strptime(treated, '%m/%d/%y'), '%Y-%m-%d'), treated)
    WHEN regexp_full_match(treated, '\d{1,2}/\d{1,2}/\d{4}') THEN coalesce(strftime(try_strptime(treated, '%m/%d/%Y'), '%Y-%m-%d'), treated)
    ELSE treated
  END AS reported_at,
  CASE
    WHEN age_code = 0 THEN NULL  -- not recorded; 201-223 are months
    WHEN age_code <= 17 OR age_code BETWEEN 201 AND 223 THEN '0-17' WHEN age_code <= 29 THEN '18-29' WHEN age_code <= 44 THEN '30-44'
    WHEN age_code <= 59 THEN '45-59' WHEN age_code <= 74 THEN '60-74' WHEN age_code <= 120 THEN '75+' ELSE age_given
  END AS age_band,
  CASE
    WHEN sex_word IN ('male', 'm', '1') THEN 'male' WHEN sex_word IN ('female', 'f', '2') THEN 'female'
    WHEN sex_word IN ('other', 'non-binary', 'non-binary/other', '3') THEN 'other'
    WHEN sex_word IN ('unknown', 'unk', 'not recorded', 'not stated', '0') THEN 'unknown' ELSE sex_given
  END AS sex,
  CASE WHEN 'no_weight' IN told THEN 'yes' WHEN 'no_weight' IN denied THEN 'no' END AS cannot_bear_weight,
  CASE WHEN list_has_any(told, ['at_redness', 'at_red_streak']) THEN 'yes' WHEN 'at_redness' IN denied THEN 'no' END AS redness,
  CASE WHEN list_has_any(told, ['at_swelling', 'at_leg_swelling']) THEN 'yes' WHEN list_has_any(denied, ['at_swelling', 'at_leg_swelling']) THEN 'no' END AS calf_swelling,
  CASE WHEN list_has_any(told, ['at_swelling', 'at_leg_swelling', 'limb_swelling']) THEN 'yes' WHEN 'at_leg_swelling' IN denied THEN 'no' END AS leg_swelling,
  CASE WHEN 'at_warmth' IN told THEN 'yes' WHEN 'at_warmth' IN denied THEN 'no' END AS warmth,
  CASE WHEN 'fever' IN told THEN 'yes' WHEN 'fever' IN denied THEN 'no' END AS fever,
  CASE WHEN 'short_breath' IN told THEN 'yes' WHEN 'short_breath' IN denied THEN 'no' END AS shortness_of_breath,
  CASE WHEN 'at_tender' IN told THEN 'yes' WHEN 'at_tender' IN denied THEN 'no' END AS tenderness,
  CASE WHEN list_has_any(told, ['at_streak', 'at_red_streak']) THEN 'yes' WHEN list_has_any(denied, ['at_streak', 'at_red_streak']) THEN 'no' END AS streaks,
  CASE WHEN 'at_lump' IN told THEN 'yes' WHEN 'at_lump' IN denied THEN 'no' END AS lump,
  CASE WHEN 'at_cool' IN told THEN 'yes' WHEN 'at_cool' IN denied THEN 'no' END AS cooler_leg,
  CASE WHEN 'at_pale' IN told THEN 'yes' WHEN 'at_pale' IN denied THEN 'no' END AS paler_leg,
  CASE WHEN 'after_exertion' IN told THEN 'yes' WHEN 'after_exertion' IN denied THEN 'no' END AS pain_after_exertion,
  CASE WHEN list_has_any(told, ['at_numb', 'limb_numb']) THEN 'yes' WHEN 'at_numb' IN denied THEN 'no' END AS sensation_loss,
  CASE WHEN 'after_sitting' IN told THEN 'yes' WHEN 'after_sitting' IN denied THEN 'no' END AS pain_after_sitting,
  CASE WHEN 'at_pop' IN told THEN 'yes' WHEN 'at_pop' IN denied THEN 'no' END AS pop_at_onset,
  CASE WHEN 'worse' IN told THEN 'yes' WHEN 'worse' IN denied THEN 'no' END AS worse_despite_self_care,
  CASE WHEN 'not_better' IN told THEN 'yes' WHEN 'not_better' IN denied THEN 'no' END AS not_improving,
  CASE WHEN 'at_cramp' IN told THEN 'yes' WHEN 'at_cramp' IN denied THEN 'no' END AS cramping,
  CASE WHEN 'dehydration' IN told THEN 'yes' WHEN 'dehydration' IN denied THEN 'no' END AS dehydration,
  CASE WHEN diagnosis IN ('laceration', '59', 'puncture', '63', 'avulsion', '72', 'amputation', '50') OR list_has_any(told, ['at_cut', 'at_lac', 'at_wound']) THEN 'yes' WHEN 'at_wound' IN denied THEN 'no' END AS skin_break,
  CASE WHEN diagnosis IN ('laceration', '59', 'hematoma', '58') OR list_has_any(told, ['at_knock', 'at_lac']) THEN 'yes' WHEN 'at_trauma' IN denied THEN 'no' END AS direct_blow,
  CASE WHEN 'overuse' IN told THEN 'yes' WHEN 'overuse' IN denied THEN 'no' END AS overuse,
  CASE WHEN 'at_veins' IN told THEN 'yes' WHEN 'at_veins' IN denied THEN 'no' END AS visible_veins
FROM said
